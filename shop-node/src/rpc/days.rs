//! What a day came to, over the reports in which its lines stand: late payments stand in a later one (SPEC §3.9).

use super::desk::{Desk, store};
use super::{api, code, view};
use daemon::store::Page;
use protocol::money::Units;
use protocol::node::rpc::RpcError;
use protocol::shop::DayReport;

impl Desk {
    pub(super) async fn day(&self, text: &str) -> Result<api::DayView, RpcError> {
        let day = view::day_of(text)?;
        let now = self.hands.x_report().await.map_err(|fault| self.hands_fault(fault))?;
        let mut view = api::DayView {
            day: day.to_string(),
            report: None,
            received: Units::ZERO,
            late: Units::ZERO,
            corrected: Units::ZERO,
            refunded: Units::ZERO,
            ordered: Units::ZERO,
            lines: Vec::new(),
        };
        let mut count = |number: Option<u64>, report: &DayReport| -> Result<(), RpcError> {
            if report.day == day || report.lines.iter().any(|line| line.day == day && !line.late) {
                view.report = number;
            }
            for line in report.lines.iter().filter(|line| line.day == day) {
                let sum = if line.late { &mut view.late } else { &mut view.received };
                let range = |_| code::reason_of("bad_amount", "the day's sum is beyond 2^53");
                *sum = sum.plus(line.received).map_err(range)?;
                view.ordered = view.ordered.plus(line.ordered).map_err(range)?;
                view.refunded = view.refunded.plus(line.refunded).map_err(range)?;
                view.corrected = view.corrected.plus(line.received).map_err(range)?;
                view.lines.push(view::report_line(line));
            }
            Ok(())
        };
        count(None, &now)?;
        let mut before = None;
        'pages: loop {
            let reports = self.room.store.reports(Page { before, limit: 100 }).map_err(store)?;
            let Some(last) = reports.last().map(|report| report.unverified().number) else { break };
            for report in &reports {
                let report = report.unverified();
                if report.is_before(day) {
                    break 'pages;
                }
                count(Some(report.number), report)?;
            }
            before = Some(last);
        }
        Ok(view)
    }
}
