//! Values of settings: their kinds, how they are read, and which known name a typo meant.

use std::time::Duration;

/// What the values of a key look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts; in the environment and in flags separated by commas.
    List,
    /// A number with a unit: `250ms`, `90s`, `5m`, `2h`, `30d`.
    Duration,
}

/// A value of some kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Number`].
    Number(i64),
    /// See [`Kind::Switch`].
    Switch(bool),
    /// See [`Kind::List`].
    List(Vec<String>),
    /// See [`Kind::Duration`].
    Duration(Duration),
}

impl Kind {
    /// What the kind looks like, for a person who wrote something else.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a whole number",
            Self::Switch => "true or false",
            Self::List => "a list of texts",
            Self::Duration => "a number with a unit, such as 250ms, 90s, 5m, 2h or 30d",
        }
    }
}

impl Setting {
    /// Reads a value of the file; `None` if it is of another kind.
    pub(super) fn from_toml(kind: Kind, value: &toml::Value) -> Option<Self> {
        match (kind, value) {
            (Kind::Text, toml::Value::String(text)) => Some(Self::Text(text.clone())),
            (Kind::Number, toml::Value::Integer(number)) => Some(Self::Number(*number)),
            (Kind::Switch, toml::Value::Boolean(on)) => Some(Self::Switch(*on)),
            (Kind::Duration, toml::Value::String(text)) => parse_duration(text).map(Self::Duration),
            (Kind::List, toml::Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .map(Self::List),
            _ => None,
        }
    }

    /// Reads a value of the environment or a flag; `None` if it is of another kind.
    pub(super) fn from_text(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Text => Some(Self::Text(text.to_owned())),
            Kind::Number => text.parse().ok().map(Self::Number),
            Kind::Switch => text.parse().ok().map(Self::Switch),
            Kind::Duration => parse_duration(text).map(Self::Duration),
            Kind::List => Some(Self::List(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
            )),
        }
    }
}

/// Reads a duration such as `250ms`, `90s`, `5m`, `2h` or `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::List(texts) => f.write_str(&texts.join(",")),
            Self::Duration(duration) if duration.subsec_millis() == 0 => write!(f, "{}s", duration.as_secs()),
            Self::Duration(duration) => write!(f, "{}ms", duration.as_millis()),
        }
    }
}

/// The known name that takes the fewest changes, if that is not most of the word.
pub(super) fn nearest(word: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|name| (changes(word, &name), name))
        .filter(|(changes, name)| *changes <= name.chars().count() / 2)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be added, taken away or replaced to get from one word to the other.
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, left) in from.chars().enumerate() {
        let mut next = vec![above + 1];
        for ((right, &diagonal), &up) in to.chars().zip(&row).zip(row.iter().skip(1)) {
            let beside = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(left != right)).min(up + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_a_unit() {
        assert_eq!(parse_duration("30d"), Some(Duration::from_secs(30 * 86_400)));
        for bad in ["", "5", "5 weeks", "-1s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
