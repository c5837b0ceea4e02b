//! The workstation's settings: one table, read from flags, environment, `config.toml` and defaults.

use crate::engine::carrier::Load;
use protocol::key::lock::GuessCost;
use protocol::node::host::config::{Config, ConfigError, Key, Kind, Layers};
use protocol::node::host::logs::{LogFormat, LogsError};
use protocol::node::host::paths::{Paths, PathsError};
use protocol::node::net::Multiaddr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Every setting there is.
pub const KEYS: &[Key] = &[
    Key {
        name: "network.listen",
        kind: Kind::List,
        default: Some("/ip4/0.0.0.0/tcp/0,/ip4/0.0.0.0/udp/0/quic-v1"),
        help: "multiaddresses to listen on; port 0 takes a free one",
    },
    Key {
        name: "network.external",
        kind: Kind::List,
        default: None,
        help: "multiaddresses under which others reach this workstation, if you know them",
    },
    Key {
        name: "network.mdns",
        kind: Kind::Switch,
        default: Some("true"),
        help: "whether to find others in the local network and be found there",
    },
    Key {
        name: "network.neighbours",
        kind: Kind::List,
        default: None,
        help: "multiaddresses of shops near by, ending in /p2p/…, where the local network announces nobody",
    },
    Key {
        name: "network.carried",
        kind: Kind::Switch,
        default: Some("true"),
        help: "whether to go to the bank by way of a shop near by while it is not reached otherwise",
    },
    Key {
        name: "network.carries",
        kind: Kind::Switch,
        default: Some("false"),
        help: "whether to carry neighbours to the bank that do not reach it: for shops",
    },
    Key {
        name: "network.carries_at_once",
        kind: Kind::Number,
        default: Some("32"),
        help: "how many at once",
    },
    Key {
        name: "network.carries_mib",
        kind: Kind::Number,
        default: Some("64"),
        help: "how many MiB a day for one of them",
    },
    Key {
        name: "rpc.http",
        kind: Kind::Text,
        default: Some("127.0.0.1:0"),
        help: "loopback address for JSON-RPC over HTTP; empty for none",
    },
    Key {
        name: "rpc.socket",
        kind: Kind::Switch,
        default: Some("true"),
        help: "whether to open the unix socket that stermina uses",
    },
    Key {
        name: "wallet.unlock_seconds",
        kind: Kind::Number,
        default: Some("900"),
        help: "seconds until an unlocked reserve locks itself, when nobody says how long",
    },
    Key {
        name: "security.guess_memory_kib",
        kind: Kind::Number,
        default: Some("65536"),
        help: "memory that one guess of the private code costs, in KiB; counts when joining",
    },
    Key {
        name: "log.level",
        kind: Kind::Text,
        default: Some("info"),
        help: "error, warn, info, debug, or a filter such as protocol=debug,info",
    },
    Key { name: "log.format", kind: Kind::Text, default: Some("text"), help: "text or json" },
];

/// Variables of the environment that choose the folder, not a setting.
const NO_SETTINGS: &[&str] = &["STERMINA_HOME", "STERMINA_INSTANCE"];

/// The settings of a workstation, each of its own type.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen for other workstations.
    pub listen: Vec<Multiaddr>,
    /// Under which addresses others reach this workstation.
    pub external: Vec<Multiaddr>,
    /// Whether to look around in the local network.
    pub mdns: bool,
    /// Who is near, where the local network announces nobody.
    pub neighbours: Vec<Multiaddr>,
    /// Whether to go to the bank by way of a shop near by.
    pub carried: bool,
    /// How much of neighbours' talk with the bank is carried; nothing if none is.
    pub carries: Option<Load>,
    /// Where JSON-RPC listens for HTTP.
    pub rpc_http: Option<SocketAddr>,
    /// Whether JSON-RPC opens its unix socket.
    pub rpc_socket: bool,
    /// Seconds until an unlocked reserve locks itself.
    pub unlock_seconds: u64,
    /// How dear one guess of a new private code is made.
    pub guess_cost: GuessCost,
    /// What is logged.
    pub log_level: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Why the settings are of no use.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// An unknown key or a value of the wrong kind.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The folders can't be found.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// A value that is of the right kind and makes no sense.
    #[error("{key} = {found}: {why} (set by: {source_text})")]
    Value {
        /// The key.
        key: &'static str,
        /// What was written.
        found: String,
        /// What is wrong with it.
        why: String,
        /// Where it was written.
        source_text: String,
    },
    /// An unknown log format.
    #[error("log.format: {0}")]
    Logs(#[from] LogsError),
}

/// Which workstation is meant: the folder that it lives in.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Place {
    /// Keep everything beneath this folder, instead of the usual places
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STERMINA_HOME",
        hide_env_values = true,
        help_heading = "Everywhere"
    )]
    pub home: Option<PathBuf>,
    /// Which of several workstations of one user
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "STERMINA_INSTANCE",
        hide_env_values = true,
        default_value = "default",
        help_heading = "Everywhere"
    )]
    pub instance: String,
}

impl Place {
    /// Its folders; makes nothing yet.
    pub fn paths(&self) -> Result<Paths, PathsError> {
        Paths::resolve("sterminad", &self.instance, self.home.as_deref())
    }

    /// The flags that lead there, for commands shown to a person.
    pub fn flags(&self) -> Vec<String> {
        let home = self.home.iter().flat_map(|home| ["--home".to_owned(), home.display().to_string()]);
        let named = (self.instance != "default").then(|| ["--instance".to_owned(), self.instance.clone()]);
        home.chain(named.into_iter().flatten()).collect()
    }
}

/// A flag for each setting: `network.listen` is `--network-listen`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingFlags(pub Vec<(String, String)>);

/// The flags, in the order of [`KEYS`].
const FLAGS: [&str; 14] = [
    "network-listen",
    "network-external",
    "network-mdns",
    "network-neighbours",
    "network-carried",
    "network-carries",
    "network-carries-at-once",
    "network-carries-mib",
    "rpc-http",
    "rpc-socket",
    "wallet-unlock-seconds",
    "security-guess-memory-kib",
    "log-level",
    "log-format",
];

impl clap::Args for SettingFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        KEYS.iter().zip(FLAGS).fold(command, |command, (key, flag)| {
            let values = match key.kind {
                Kind::Switch => "true|false",
                Kind::List => "A,B,…",
                Kind::Number => "N",
                Kind::Duration => "TIME",
                Kind::Text => "TEXT",
            };
            let default = key.default.map(|text| format!(" [default: {text}]")).unwrap_or_default();
            command.arg(
                clap::Arg::new(key.name)
                    .long(flag)
                    .value_name(values)
                    .help(format!("{}{default}", key.help))
                    .help_heading("Settings"),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        SettingFlags::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &Key| Some((key.name.to_owned(), matches.get_one::<String>(key.name)?.clone()));
        Ok(SettingFlags(KEYS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = SettingFlags::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The settings in this process's environment. `STERMINA_LOG`, which all our programs know, stands for the log level.
pub fn environment() -> Vec<(String, String)> {
    let mut env = Config::env_of_process();
    for (name, _) in env.iter_mut().filter(|(name, _)| name == "STERMINA_LOG") {
        "STERMINA_LOG_LEVEL".clone_into(name);
    }
    env
}

/// The settings in their plain form, each with its source: flags over environment over file over defaults.
pub fn config(file: &Path, env: Vec<(String, String)>, flags: SettingFlags) -> Result<Config, ConfigError> {
    Config::load(KEYS, &Layers { file: Some(file), env, env_ignored: NO_SETTINGS, flags: flags.0 })
}

impl Settings {
    /// The settings of this process for the workstation at `paths`.
    pub fn load(paths: &Paths, flags: SettingFlags) -> Result<Settings, SettingsFault> {
        Settings::of(&config(&paths.config, environment(), flags)?)
    }

    /// The settings that a configuration says.
    pub fn of(config: &Config) -> Result<Settings, SettingsFault> {
        Ok(Settings {
            listen: addresses(config, "network.listen")?,
            external: addresses(config, "network.external")?,
            mdns: config.switch("network.mdns"),
            neighbours: addresses(config, "network.neighbours")?,
            carried: config.switch("network.carried"),
            carries: carries(config)?,
            rpc_http: http(config)?,
            rpc_socket: config.switch("rpc.socket"),
            unlock_seconds: number(config, "wallet.unlock_seconds", 1, 31 * 86_400)?,
            guess_cost: guess_cost(config)?,
            log_level: config.text("log.level").unwrap_or("info").to_owned(),
            log_format: config.text("log.format").unwrap_or("text").parse()?,
        })
    }
}

fn wrong(config: &Config, key: &'static str, found: String, why: String) -> SettingsFault {
    use protocol::node::host::config::Source;
    let source = config.show().into_iter().find(|shown| shown.key == key).map(|shown| shown.source);
    let source_text = match source {
        Some(Source::File(path)) => path.display().to_string(),
        Some(Source::Env(name) | Source::Flag(name)) => name,
        Some(Source::Default) | None => "the default".to_owned(),
    };
    SettingsFault::Value { key, found, why, source_text }
}

fn addresses(config: &Config, key: &'static str) -> Result<Vec<Multiaddr>, SettingsFault> {
    let parse = |text: &String| {
        let flaw = |why| wrong(config, key, text.clone(), format!("not a multiaddress: {why}"));
        text.parse::<Multiaddr>().map_err(flaw)
    };
    config.list(key).iter().map(parse).collect()
}

fn http(config: &Config) -> Result<Option<SocketAddr>, SettingsFault> {
    let key = "rpc.http";
    let text = config.text(key).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let flaw = |why: &str| wrong(config, key, text.to_owned(), why.to_owned());
    let address: SocketAddr =
        text.parse().map_err(|_| flaw("write an address and a port, as in 127.0.0.1:0"))?;
    match address.ip().is_loopback() {
        true => Ok(Some(address)),
        false => Err(flaw("only loopback addresses (127.0.0.1, ::1) are safe without TLS")),
    }
}

fn number(config: &Config, key: &'static str, least: u64, most: u64) -> Result<u64, SettingsFault> {
    let found = config.number(key).unwrap_or_default();
    match u64::try_from(found) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(wrong(config, key, found.to_string(), format!("write a number from {least} to {most}"))),
    }
}

fn carries(config: &Config) -> Result<Option<Load>, SettingsFault> {
    let at_once = number(config, "network.carries_at_once", 1, 1024)?;
    let mib = number(config, "network.carries_mib", 1, 1 << 20)?;
    let at_once = usize::try_from(at_once).expect("at most 1,024");
    Ok(config.switch("network.carries").then_some(Load { at_once, bytes_a_day: mib << 20 }))
}

fn guess_cost(config: &Config) -> Result<GuessCost, SettingsFault> {
    let memory = number(config, "security.guess_memory_kib", 64, 1 << 20)?;
    let memory_kib = u32::try_from(memory).expect("at most 2^20");
    Ok(GuessCost { memory_kib, ..GuessCost::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, SettingsFault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        Settings::of(&config(&path, pairs(env), SettingFlags(pairs(flags)))?)
    }

    #[test]
    fn nothing_said_is_a_workstation_that_works() {
        let settings = load("", &[("STERMINA_HOME", "/x"), ("STERMINA_INSTANCE", "till")], &[]).unwrap();
        assert_eq!(settings.listen.len(), 2);
        assert!(settings.mdns && settings.rpc_socket && settings.external.is_empty());
        assert_eq!(settings.rpc_http, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!((settings.unlock_seconds, settings.guess_cost.memory_kib), (900, 65_536));
    }

    #[test]
    fn flags_beat_the_environment_and_that_the_file() {
        let settings = load(
            "[network]\nmdns = false\n[wallet]\nunlock_seconds = 60\n[rpc]\nhttp = \"\"",
            &[("STERMINA_WALLET_UNLOCK_SECONDS", "120"), ("STERMINA_SECURITY_GUESS_MEMORY_KIB", "64")],
            &[("wallet.unlock_seconds", "180")],
        )
        .unwrap();
        assert_eq!((settings.unlock_seconds, settings.guess_cost.memory_kib), (180, 64));
        assert!(!settings.mdns);
        assert_eq!(settings.rpc_http, None);
    }

    #[test]
    fn a_value_without_sense_names_its_key_and_its_place() {
        for (file, words) in [
            ("[network]\nlisten = [\"localhost:1\"]", "not a multiaddress"),
            ("[rpc]\nhttp = \"0.0.0.0:80\"", "only loopback"),
            ("[rpc]\nhttp = \"here\"", "an address and a port"),
            ("[wallet]\nunlock_seconds = 0", "from 1 to"),
            ("[security]\nguess_memory_kib = -5", "from 64 to"),
            ("[log]\nformat = \"xml\"", "text and json"),
            ("[walet]\nunlock_seconds = 5", "did you mean"),
        ] {
            let fault = load(file, &[], &[]).unwrap_err().to_string();
            assert!(fault.contains(words), "{fault}");
        }
        let fault = load("", &[("STERMINA_WALLET_UNLOCK_SECONDS", "0")], &[]).unwrap_err().to_string();
        assert!(fault.contains("STERMINA_WALLET_UNLOCK_SECONDS"), "{fault}");
    }

    #[test]
    fn every_setting_has_a_flag() {
        assert_eq!(KEYS.len(), FLAGS.len());
        for (key, flag) in KEYS.iter().zip(FLAGS) {
            assert_eq!(key.name.replace(['.', '_'], "-"), flag);
        }
        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            flags: SettingFlags,
        }
        let words = ["x", "--network-mdns", "false", "--wallet-unlock-seconds", "5"];
        let program = Program::try_parse_from(words).unwrap();
        let wanted = [("network.mdns", "false"), ("wallet.unlock_seconds", "5")];
        assert_eq!(program.flags.0, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(Program::try_parse_from(["x", "--network", "5"]).is_err());
    }
}
