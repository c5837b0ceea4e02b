//! Figures: how fast and how small the programs are, each beside what the machine could do at best.
//!
//! A figure alone says more about the machine than about the program. So each that can has a *floor*: the
//! same signatures without the program around them, or the same commits, measured in the same run, in turns
//! with the figure. What counts is the ratio. `tests/BENCHMARKS.md` tells the figures of one run.

mod daemons;
mod desk;
mod floor;
mod machine;
mod sample;
mod till;
mod town;
mod verifying;

use serde::Serialize;

pub use machine::load;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A minute: shows that everything runs.
    Quick,
    /// Enough for medians that repeat.
    Full,
}

impl Effort {
    /// So many, or a fifth of it.
    fn of(self, full: usize) -> usize {
        match self {
            Effort::Quick => (full / 5).max(4),
            Effort::Full => full,
        }
    }

    /// Turns in which figure and floor are measured.
    fn rounds(self) -> usize {
        match self {
            Effort::Quick => 2,
            Effort::Full => 5,
        }
    }
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much it came to.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
    /// What the machine could do at best, in the same unit.
    pub floor: Option<f64>,
    /// What else belongs to it.
    pub note: String,
}

impl Figure {
    fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { name: name.into(), value, unit, floor: None, note: String::new() }
    }

    fn floor(self, floor: f64) -> Figure {
        Figure { floor: Some(floor), ..self }
    }

    fn note(self, note: impl Into<String>) -> Figure {
        Figure { note: note.into(), ..self }
    }

    /// The figure in terms of its floor.
    pub fn ratio(&self) -> Option<f64> {
        self.floor.filter(|floor| *floor > 0.0).map(|floor| self.value / floor)
    }
}

/// Measures a group.
type Measure = fn(Effort) -> Vec<Figure>;

/// All of them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
}

impl Report {
    /// Measures those whose group is asked for, all if none is.
    pub fn measure(effort: Effort, only: &[String], mut say: impl FnMut(&str)) -> Report {
        let groups: [(&str, Measure); 5] = [
            ("verifying", verifying::measure),
            ("bank", desk::measure),
            ("payments", town::payments),
            ("daemon", daemons::measure),
            ("till", till::measure),
        ];
        let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
        let mut figures = Vec::new();
        for (name, measure) in groups.into_iter().filter(|(name, _)| wanted(name)) {
            say(&format!("{name} … (load {})", load()));
            figures.extend(measure(effort));
        }
        Report { figures }
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let mut lines = vec![
            "| figure | value | unit | floor | value / floor | |".to_owned(),
            "|---|---:|---|---:|---:|---|".to_owned(),
        ];
        for figure in &self.figures {
            let floor = figure.floor.map(short).unwrap_or_default();
            let ratio = figure.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let (name, value, unit, note) = (&figure.name, short(figure.value), figure.unit, &figure.note);
            lines.push(format!("| {name} | {value} | {unit} | {floor} | {ratio} | {note} |"));
        }
        lines.join("\n")
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_figure() {
        let figures =
            vec![Figure::new("a", 1234.5, "1/s").floor(2469.0).note("half"), Figure::new("b", 1.234, "ms")];
        let table = Report { figures }.table();
        assert!(
            table.ends_with("| a | 1234 | 1/s | 2469 | 0.50 | half |\n| b | 1.23 | ms |  |  |  |"),
            "{table}"
        );
    }
}
