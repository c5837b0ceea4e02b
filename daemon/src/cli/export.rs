//! The history as a file: CSV for spreadsheets, JSON for programs.

use crate::rpc::api::HistoryLine;
use protocol::money::Currency;
use std::io;

/// What an export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180, amounts decimal.
    Csv,
    /// One document, amounts in the smallest unit.
    Json,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            other => Err(format!("«{other}» is no export format: write csv or json")),
        }
    }
}

/// The lines in a format.
pub(crate) fn text(format: Format, lines: &[HistoryLine], currency: &Currency) -> io::Result<String> {
    match format {
        Format::Csv => Ok(csv(lines, currency)),
        Format::Json => {
            let document = serde_json::json!({ "currency": currency, "lines": lines });
            Ok(serde_json::to_string_pretty(&document).map_err(io::Error::other)? + "\n")
        }
    }
}

const HEADER: [&str; 12] = [
    "number", "time", "movement", "amount", "currency", "reserve", "account", "with", "name", "memo", "id",
    "state",
];

fn csv(lines: &[HistoryLine], currency: &Currency) -> String {
    let mut text = HEADER.join(",") + "\r\n";
    for line in lines {
        let cells = [
            line.seq.to_string(),
            line.at.to_string(),
            line.movement.clone(),
            currency.show(line.units),
            currency.code().to_owned(),
            currency.show(line.reserve),
            line.account.map(|units| currency.show(units)).unwrap_or_default(),
            line.party.map(|code| code.to_string()).unwrap_or_default(),
            line.name.clone(),
            line.memo.clone(),
            line.id.clone(),
            line.state.clone().unwrap_or_default(),
        ];
        text += &cells.map(|text| cell(&text)).join(",");
        text += "\r\n";
    }
    text
}

/// A cell that no spreadsheet takes for a formula: names and memos are written by others.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    match guarded.contains([',', '"', '\r', '\n', ';']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::money::Units;
    use protocol::time::Timestamp;

    #[test]
    fn a_memo_is_no_formula_and_breaks_no_line() {
        for (text, written) in [
            ("lunch", "lunch"),
            ("", ""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("tea, cake", "\"tea, cake\""),
            ("a = b", "a = b"),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(cell(text), written, "{text:?}");
        }
    }

    #[test]
    fn both_formats_say_the_same() {
        let eur = Currency::new("EUR", 2).unwrap();
        let line = HistoryLine {
            seq: 3,
            at: Timestamp(1_795_305_600),
            movement: "received".into(),
            units: Units::new(1250).unwrap(),
            reserve: Units::new(2000).unwrap(),
            account: None,
            party: None,
            name: "Ann".into(),
            memo: "=1".into(),
            id: "07".into(),
            state: None,
        };
        let csv = text(Format::Csv, std::slice::from_ref(&line), &eur).unwrap();
        let rows: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(rows[0].split(',').count(), rows[1].split(',').count());
        assert_eq!(rows[1], "3,2026-11-22T00:00:00Z,received,12.50,EUR,20.00,,,Ann,'=1,07,");
        let json: serde_json::Value =
            serde_json::from_str(&text(Format::Json, &[line], &eur).unwrap()).unwrap();
        assert_eq!((&json["lines"][0]["units"], &json["currency"]["digits"]), (&1250.into(), &2.into()));
        assert!("xml".parse::<Format>().unwrap_err().contains("csv or json"));
    }
}
