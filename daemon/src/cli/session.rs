//! What all commands share: which workstation is meant, how it answers, and how a call is asked again.

use super::fault::Fault;
use super::show::{self, Show};
use crate::profile::Profile;
use crate::rpc::api::{Status, WorkstationClient};
use crate::settings::Place;
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::host::paths::Paths;
use protocol::node::rpc::{CallError, Connection, Empty};
use std::sync::OnceLock;

/// One run of `stermina`.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) place: Place,
    pub(crate) show: Show,
    /// The command line as typed, without the program's name.
    words: Vec<String>,
    again: OnceLock<String>,
    /// How the workstation is started.
    pub(crate) daemon: &'static [&'static str],
}

impl Session {
    pub(crate) fn new(place: Place, show: Show, words: Vec<String>) -> Session {
        Session { place, show, words, again: OnceLock::new(), daemon: &["sterminad"] }
    }

    /// The same for a workstation that is started like this.
    pub(crate) fn of(self, daemon: &'static [&'static str]) -> Session {
        Session { daemon, ..self }
    }

    /// The workstation's folders.
    pub(crate) fn paths(&self) -> Result<Paths, Fault> {
        Ok(self.place.paths()?)
    }

    /// A line to the daemon, which must be running.
    pub(crate) async fn client(&self) -> Result<WorkstationClient, Fault> {
        let paths = self.paths()?;
        match Connection::to(&paths.run).await {
            Ok(connection) => Ok(WorkstationClient::new(connection)),
            Err(CallError::Unreachable { .. }) => Err(Fault::NotRunning(self.how_to_start(&paths))),
            Err(other) => Err(other.into()),
        }
    }

    fn how_to_start(&self, paths: &Paths) -> String {
        let command = |words: &[&str], rest: &[&str]| {
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            words.extend(self.place.flags());
            words.extend(rest.iter().map(|word| (*word).to_owned()));
            show::shell(&words)
        };
        if Profile::exists(paths) {
            return format!("the workstation is not running; start it: {}", command(self.daemon, &[]));
        }
        let (join, daemon) = (command(&["stermina"], &["join", "URI"]), self.daemon.join(" "));
        format!("no account here yet; with the bank's activation letter: {join}, then start {daemon}")
    }

    /// Who the workstation is; its currency is what amounts are read and shown in.
    pub(crate) async fn status(&self, client: &WorkstationClient) -> Result<Status, Fault> {
        Ok(client.status(Empty {}).await?)
    }

    /// The key of a call that moves money: the caller's, or a new one. From here on the call may have happened,
    /// so it is remembered how to ask again.
    pub(crate) fn key(&self, given: Option<&str>) -> String {
        let key = given.map_or_else(fresh_key, str::to_owned);
        let mut words = self.words.clone();
        if given.is_none() {
            // Behind a bare `--` everything is an argument.
            let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
            words.splice(end..end, ["--key".to_owned(), key.clone()]);
        }
        self.repeats_as(words);
        key
    }

    /// The same where the words as typed mean something else tomorrow: it is asked again by `words`.
    pub(crate) fn key_for(&self, given: Option<&str>, mut words: Vec<String>) -> String {
        let key = given.map_or_else(fresh_key, str::to_owned);
        words.extend(self.place.flags());
        words.extend(matches!(self.show, Show::Json).then(|| "--json".to_owned()));
        words.extend(["--key".to_owned(), key.clone()]);
        self.repeats_as(words);
        key
    }

    fn repeats_as(&self, mut words: Vec<String>) {
        words.insert(0, "stermina".to_owned());
        // One call that moves money a run: the first one counts.
        let _ = self.again.set(show::shell(&words));
    }

    /// The command that asks again with the same key, if money may have moved.
    pub(crate) fn again(&self) -> Option<&str> {
        self.again.get().map(String::as_str)
    }
}

fn fresh_key() -> String {
    hex::encode(chance_bytes::<8>())
}

/// What a person typed, in units; the sentence names what was typed.
pub(crate) fn amount(currency: &Currency, text: &str) -> Result<Units, Fault> {
    currency.parse(text).map_err(|flaw| Fault::Usage(flaw.to_string()))
}

/// The same where it may be left out.
pub(crate) fn amount_if(currency: &Currency, text: Option<&String>) -> Result<Option<Units>, Fault> {
    text.map(|text| amount(currency, text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(words: &[&str]) -> Session {
        let place = Place { home: Some("/x y".into()), instance: "default".into() };
        Session::new(place, Show::People, words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn the_command_that_asks_again_carries_the_key() {
        let asked = session(&["pay", "st1x", "12", "--memo", "rent May"]);
        let key = asked.key(None);
        assert_eq!(key.len(), 16);
        let again = asked.again().unwrap();
        assert_eq!(again, format!("stermina pay st1x 12 --memo 'rent May' --key {key}"));
        let own = session(&["pay", "st1x", "12", "--key", "may"]);
        assert_eq!(own.key(Some("may")), "may");
        assert_eq!(own.again(), Some("stermina pay st1x 12 --key may"));
        let dashes = session(&["pay", "--", "st1x", "12"]);
        let key = dashes.key(None);
        assert_eq!(dashes.again().unwrap(), format!("stermina pay --key {key} -- st1x 12"));
        assert_eq!(session(&["balance"]).again(), None);
    }

    #[test]
    fn what_a_code_led_to_is_asked_again_by_its_own_words() {
        let asked = session(&["pay", "--code", "483920", "--yes", "--json"]);
        let words = ["pay", "stermina:strq1x", "12"].map(str::to_owned).to_vec();
        assert_eq!(asked.key_for(Some("may"), words.clone()), "may");
        let again = "stermina pay stermina:strq1x 12 --home '/x y' --key may";
        assert_eq!(asked.again(), Some(again));
        let asked = session(&["pay", "--code", "483920"]);
        let key = asked.key_for(None, words);
        assert!(key.len() == 16 && asked.again().unwrap().ends_with(&key), "{asked:?}");
    }

    #[tokio::test]
    async fn who_is_not_running_is_told_how_to_start() {
        let home = tempfile::tempdir().unwrap();
        let mut asked = session(&["balance"]);
        asked.place.home = Some(home.path().to_owned());
        let fault = asked.client().await.unwrap_err();
        assert_eq!(fault.exit().code(), 6);
        assert!(fault.to_string().contains("join URI"), "{fault}");
        std::fs::create_dir(home.path().join("data")).unwrap();
        std::fs::write(home.path().join("data/account.toml"), "").unwrap();
        let fault = asked.client().await.unwrap_err().to_string();
        assert!(fault.contains(&format!("sterminad --home {}", home.path().display())), "{fault}");
    }

    #[test]
    fn a_bad_amount_is_a_sentence() {
        let eur = Currency::new("EUR", 2).unwrap();
        assert_eq!(amount(&eur, "12.5").unwrap().get(), 1250);
        for (text, words) in [
            ("1,50", "not an amount"),
            ("-1", "not an amount"),
            ("1.234", "more decimals"),
            ("1e3", "not an amount"),
        ] {
            let fault = amount(&eur, text).unwrap_err();
            assert_eq!(fault.exit().code(), 2);
            assert!(fault.to_string().contains(words) && fault.to_string().contains(text), "{fault}");
        }
        assert_eq!(amount_if(&eur, None).unwrap(), None);
    }
}
