//! Logs: events with fields on stderr, for a person or for a machine.
//!
//! stdout belongs to answers. Codes, keys and memos never come here at any level.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogsError::Format(other.to_owned())),
        }
    }
}

/// Why the logs could not be set up as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Neither `text` nor `json`.
    #[error("unknown log format {0:?}; known are text and json")]
    Format(String),
    /// The filter is no level and no list of `target=level`.
    #[error("the log level {text:?} is not understood: {why}; try info, debug or protocol=debug,info")]
    Level {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Starts logging at `level` (say `info`, or `protocol=debug,info`).
///
/// The first caller in a process wins; a later call changes nothing and says `false`.
pub fn init(format: LogFormat, level: &str) -> Result<bool, LogsError> {
    // What the network library has to say is for those who ask for it.
    let filter = EnvFilter::try_new(format!("libp2p=warn,libp2p_swarm=warn,libp2p_kad=error,{level}"))
        .map_err(|why| LogsError::Level { text: level.to_owned(), why: why.to_string() })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let lines = lines.with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    Ok(match format {
        LogFormat::Text => lines.with_target(false).try_init().is_ok(),
        LogFormat::Json => lines.json().flatten_event(true).try_init().is_ok(),
    })
}

/// The level to use: the flag, else `STERMINA_LOG`, else `info`.
pub fn level(flag: Option<&str>, from_env: Option<&str>) -> String {
    flag.or(from_env).filter(|text| !text.is_empty()).unwrap_or("info").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_of_the_logs_is_harmless() {
        let first = init(LogFormat::Text, "warn").unwrap();
        let second = init(LogFormat::Json, "info").unwrap();
        assert!(!second, "the first one stays (it was ours: {first})");
    }

    #[test]
    fn nonsense_is_named() {
        assert!(init(LogFormat::Text, "protocol=loud").unwrap_err().to_string().contains("loud"));
        assert!("xml".parse::<LogFormat>().unwrap_err().to_string().contains("text and json"));
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
    }

    #[test]
    fn the_flag_beats_the_environment() {
        assert_eq!(level(Some("debug"), Some("warn")), "debug");
        assert_eq!(level(None, Some("warn")), "warn");
        assert_eq!(level(None, Some("")), "info");
    }
}
