//! Settings from four places: flags over environment over `config.toml` over defaults.
//!
//! A program lists its settings in a table of [`Key`]s; nothing outside the table is accepted, and for
//! every value it can be said where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::setting::nearest;
pub use super::setting::{Kind, Setting, parse_duration};

/// One setting a program knows.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted name as in the file: `network.listen` stands in the table `[network]`.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// The value when nobody says one, written as in the environment.
    pub default: Option<&'static str>,
    /// One sentence for `config show` and the manual.
    pub help: &'static str,
}

/// Where a value came from, the strongest last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The file.
    File(PathBuf),
    /// This variable of the environment.
    Env(String),
    /// This flag of the command line.
    Flag(String),
}

/// What the four places said.
#[derive(Debug, Default)]
pub struct Layers<'a> {
    /// The file; a missing one is an empty one.
    pub file: Option<&'a Path>,
    /// The environment; only names with [`ENV_PREFIX`] are looked at.
    pub env: Vec<(String, String)>,
    /// Names with the prefix that are not settings, such as `STERMINA_HOME`.
    pub env_ignored: &'a [&'a str],
    /// Key name and value of each flag that was given.
    pub flags: Vec<(String, String)>,
}

/// Variables of the environment that are settings start with this.
pub const ENV_PREFIX: &str = "STERMINA_";

/// The file may not be longer than this many bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// All settings of a program, each with its source.
#[derive(Clone, Debug)]
pub struct Config {
    keys: &'static [Key],
    values: BTreeMap<&'static str, (Setting, Source)>,
}

/// A line of `config show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The key.
    pub key: &'static str,
    /// Its value as one would write it in the environment; absent if it has none.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: Source,
    /// What the key is for.
    pub help: &'static str,
}

/// Why the settings were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key outside the table.
    #[error("{place}: unknown setting {key:?}{}", hint(nearest.as_deref()))]
    Unknown {
        /// The file, variable or flag.
        place: String,
        /// What was written.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value that is not of the key's kind.
    #[error("{place}: {key} = {found}: expected {expected}")]
    Value {
        /// The file, variable or flag.
        place: String,
        /// The key.
        key: String,
        /// What was written.
        found: String,
        /// What the kind looks like.
        expected: &'static str,
    },
    /// The file is no TOML.
    #[error("{}: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's word, with line and column.
        why: String,
    },
    /// The file cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl Config {
    /// Lays the four places over each other.
    pub fn load(keys: &'static [Key], layers: &Layers<'_>) -> Result<Self, ConfigError> {
        let mut config = Self { keys, values: BTreeMap::new() };
        for key in keys {
            if let Some(text) = key.default {
                config.put_text(key.name, text, "default", Source::Default)?;
            }
        }
        if let Some(path) = layers.file {
            config.put_file(path)?;
        }
        for (variable, text) in &layers.env {
            config.put_env(variable, text, layers.env_ignored)?;
        }
        for (key, text) in &layers.flags {
            let place = format!("--{}", key.replace(['.', '_'], "-"));
            config.put_text(key, text, &place, Source::Flag(place.clone()))?;
        }
        Ok(config)
    }

    /// The variables of this process that are settings.
    pub fn env_of_process() -> Vec<(String, String)> {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        std::env::vars_os()
            .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect()
    }

    /// The value of `key`, if it has one.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.values.get(key).map(|(setting, _)| setting)
    }

    /// The text of `key`; `None` if it has no value or is of another kind.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Setting::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of `key`; `None` if it has no value or is of another kind.
    pub fn number(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Setting::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether `key` is switched on; a key without value is off.
    pub fn switch(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Setting::Switch(true)))
    }

    /// The texts of `key`; none if it has no value.
    pub fn list(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Setting::List(texts)) => texts,
            _ => &[],
        }
    }

    /// The duration of `key`; `None` if it has no value or is of another kind.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.get(key) {
            Some(Setting::Duration(duration)) => Some(*duration),
            _ => None,
        }
    }

    /// Every key with value and source, in the order of the table.
    pub fn show(&self) -> Vec<Shown> {
        self.keys
            .iter()
            .map(|key| {
                let found = self.values.get(key.name);
                Shown {
                    key: key.name,
                    value: found.map(|(setting, _)| setting.to_string()),
                    source: found.map_or(Source::Default, |(_, source)| source.clone()),
                    help: key.help,
                }
            })
            .collect()
    }

    fn put_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let Some(text) = read(path)? else { return Ok(()) };
        let table: toml::Table = text.parse().map_err(|why: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            why: why.to_string(),
        })?;
        let mut found = Vec::new();
        flatten("", &table, self.keys, &mut found);
        for (name, value) in found {
            let place = path.display().to_string();
            let key = self.key(&name, &place)?;
            let setting =
                Setting::from_toml(key.kind, value).ok_or_else(|| wrong(key, &place, &value.to_string()))?;
            self.values.insert(key.name, (setting, Source::File(path.to_owned())));
        }
        Ok(())
    }

    fn put_env(&mut self, variable: &str, text: &str, ignored: &[&str]) -> Result<(), ConfigError> {
        if !variable.starts_with(ENV_PREFIX) || ignored.contains(&variable) {
            return Ok(());
        }
        match self.keys.iter().find(|key| env_name(key.name) == variable) {
            Some(key) => self.put_text(key.name, text, variable, Source::Env(variable.to_owned())),
            None => Err(ConfigError::Unknown {
                place: "environment".to_owned(),
                key: variable.to_owned(),
                nearest: nearest(variable, self.keys.iter().map(|key| env_name(key.name))),
            }),
        }
    }

    fn put_text(&mut self, name: &str, text: &str, place: &str, source: Source) -> Result<(), ConfigError> {
        let key = self.key(name, place)?;
        let setting = Setting::from_text(key.kind, text).ok_or_else(|| wrong(key, place, text))?;
        self.values.insert(key.name, (setting, source));
        Ok(())
    }

    fn key(&self, name: &str, place: &str) -> Result<&'static Key, ConfigError> {
        self.keys.iter().find(|key| key.name == name).ok_or_else(|| ConfigError::Unknown {
            place: place.to_owned(),
            key: name.to_owned(),
            nearest: nearest(name, self.keys.iter().map(|key| key.name.to_owned())),
        })
    }
}

/// The variable that sets a key: `network.listen` is `STERMINA_NETWORK_LISTEN`.
pub fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace(['.', '-'], "_").to_ascii_uppercase())
}

fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    use std::io::Read;
    let unreadable = |why: String| ConfigError::Unreadable { path: path.to_owned(), why };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut text = String::new();
    let read =
        file.take(FILE_LIMIT).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    match u64::try_from(read) {
        Ok(length) if length < FILE_LIMIT => Ok(Some(text)),
        _ => Err(unreadable(format!("longer than {FILE_LIMIT} bytes"))),
    }
}

/// Dotted names of every value. The parser bounds how deep tables nest.
fn flatten<'a>(
    prefix: &str,
    table: &'a toml::Table,
    keys: &[Key],
    into: &mut Vec<(String, &'a toml::Value)>,
) {
    for (name, value) in table {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) if !keys.iter().any(|key| key.name == name) => {
                flatten(&name, inner, keys, into);
            }
            value => into.push((name, value)),
        }
    }
}

fn wrong(key: &Key, place: &str, found: &str) -> ConfigError {
    let expected = key.kind.expected();
    ConfigError::Value {
        place: place.to_owned(),
        key: key.name.to_owned(),
        found: found.to_owned(),
        expected,
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean {key:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key { name: "network.listen", kind: Kind::List, default: Some("/ip4/0.0.0.0/tcp/0"), help: "where" },
        Key { name: "network.mdns", kind: Kind::Switch, default: Some("true"), help: "look around" },
        Key { name: "reserve.target", kind: Kind::Number, default: None, help: "how much" },
        Key { name: "rpc.deadline", kind: Kind::Duration, default: Some("2m"), help: "how long" },
        Key { name: "name", kind: Kind::Text, default: Some("till"), help: "who" },
    ];

    fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let layers = Layers {
            file: Some(&path),
            env: pairs(env),
            env_ignored: &["STERMINA_HOME"],
            flags: pairs(flags),
        };
        Config::load(KEYS, &layers)
    }

    #[test]
    fn the_stronger_place_wins_and_each_value_knows_its_source() {
        let config = load(
            "name = \"bakery\"\n[network]\nlisten = [\"a\", \"b\"]\nmdns = false\n[rpc]\ndeadline = \"90s\"",
            &[
                ("STERMINA_RPC_DEADLINE", "250ms"),
                ("STERMINA_NETWORK_MDNS", "true"),
                ("STERMINA_HOME", "/x"),
                ("PATH", ""),
            ],
            &[("network.mdns", "false")],
        )
        .unwrap();
        assert_eq!(config.list("network.listen"), ["a", "b"]);
        assert_eq!(config.duration("rpc.deadline"), Some(Duration::from_millis(250)));
        assert!(!config.switch("network.mdns"));
        assert_eq!(config.number("reserve.target"), None);
        let shown = config.show();
        let source = |key: &str| shown.iter().find(|line| line.key == key).unwrap().source.clone();
        assert!(matches!(source("name"), Source::File(_)));
        assert_eq!(source("rpc.deadline"), Source::Env("STERMINA_RPC_DEADLINE".into()));
        assert_eq!(source("network.mdns"), Source::Flag("--network-mdns".into()));
        assert_eq!(source("reserve.target"), Source::Default);
        assert_eq!(shown.len(), KEYS.len());
    }

    #[test]
    fn defaults_alone_suffice_and_a_missing_file_is_an_empty_one() {
        let layers = Layers { file: Some(Path::new("/nowhere/at/all.toml")), ..Layers::default() };
        let config = Config::load(KEYS, &layers).unwrap();
        assert_eq!(config.text("name"), Some("till"));
        assert_eq!(config.duration("rpc.deadline"), Some(Duration::from_secs(120)));
    }

    #[test]
    fn unknown_settings_are_errors_that_name_the_nearest() {
        let text = |result: Result<Config, ConfigError>| result.unwrap_err().to_string();
        assert!(text(load("[network]\nlisen = []", &[], &[])).contains("did you mean \"network.listen\"?"));
        assert!(text(load("", &[("STERMINA_NAM", "x")], &[])).contains("did you mean \"STERMINA_NAME\"?"));
        assert!(text(load("", &[], &[("rpc.dead", "1s")])).contains("--rpc-dead"));
        let far = text(load("colour = 3", &[], &[]));
        assert!(far.contains("unknown setting \"colour\"") && !far.contains("did you mean"), "{far}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_place_key_and_kind() {
        for (file, expected) in [
            ("name = 3", "a text"),
            ("[reserve]\ntarget = \"3\"", "a whole number"),
            ("[network]\nmdns = 1", "true or false"),
            ("[network]\nlisten = [1]", "a list"),
            ("[rpc]\ndeadline = 30", "a number with a unit"),
            ("[name]\ninner = 1", "a text"),
        ] {
            let error = load(file, &[], &[]).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("config.toml"), "{error}");
        }
        assert!(matches!(load("name = ", &[], &[]), Err(ConfigError::Syntax { .. })));
        assert!(load("", &[("STERMINA_RESERVE_TARGET", "1.5")], &[]).is_err());
    }
}
