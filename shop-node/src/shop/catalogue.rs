//! What the shop sells: articles with a price rule (M4).

use super::change::{Change, Decision, Draft, Happening};
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::body::Text;
use protocol::money::Units;
use protocol::shop::{NAME_MAX, SKU_MAX};
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most articles of a shop.
pub const ITEMS_MAX: usize = 20_000;
/// Longest name of a category or a unit, in bytes.
const WORD_MAX: usize = 48;

/// How an article's price comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Price {
    /// This and no other.
    Fixed(Units),
    /// This unless somebody says otherwise.
    Suggested(Units),
    /// What is typed, within bounds.
    Free {
        /// The least.
        least: Units,
        /// The most.
        most: Units,
    },
}

impl Price {
    /// The rule's word.
    pub fn word(self) -> &'static str {
        match self {
            Price::Fixed(_) => "fixed",
            Price::Suggested(_) => "suggested",
            Price::Free { .. } => "free",
        }
    }
}

/// An article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number: one word.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub category: String,
    /// What it costs.
    pub price: Price,
    /// What one of it is: a piece, a kilo, an hour.
    pub unit: String,
    /// Whether it is handed over on line.
    pub digital: bool,
    /// Whether it is sold now.
    pub active: bool,
    /// The catalogue's version that changed it last.
    pub version: u64,
}

impl Item {
    /// The column at fault, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let text = |column, text: &str, max| match Text::new(text, max) {
            Ok(_) if text == text.trim() => Ok(()),
            Ok(_) => Err((column, "spaces at the beginning or the end".to_owned())),
            Err(flaw) => Err((column, flaw.to_string())),
        };
        text("sku", &self.sku, SKU_MAX)?;
        text("name", &self.name, NAME_MAX)?;
        text("category", &self.category, WORD_MAX)?;
        text("unit", &self.unit, WORD_MAX)?;
        if self.sku.is_empty() || self.sku.contains(['*', '=', '@']) || self.sku.contains(char::is_whitespace)
        {
            return Err(("sku", "one word without * = @".to_owned()));
        }
        if self.name.is_empty() {
            return Err(("name", "a name is needed".to_owned()));
        }
        match self.price {
            Price::Free { least, most } if least > most => Err(("max", "less than the least".to_owned())),
            Price::Fixed(_) | Price::Suggested(_) | Price::Free { .. } => Ok(()),
        }
    }

    fn is_same(&self, other: &Item) -> bool {
        Item { version: 0, ..self.clone() } == Item { version: 0, ..other.clone() }
    }
}

/// What an import changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Articles that are new.
    pub added: u64,
    /// Articles that are different now.
    pub changed: u64,
    /// Articles that were like this.
    pub same: u64,
    /// Articles that are not sold any more, since they are not in the file.
    pub ended: u64,
    /// The catalogue's version after it.
    pub version: u64,
}

impl Shop {
    /// A new article, or another form of one.
    pub fn put_item(&self, item: Item, actor: &Actor, now: Timestamp) -> Result<Decision<Imported>, Refusal> {
        item.check().map_err(|(column, why)| Refusal::Value(format!("{column}: {why}")))?;
        self.put_items(vec![item], false, "item.put", actor, now)
    }

    /// All articles of a file, or none. `replace` ends those that are not in it.
    pub fn import(
        &self,
        items: Vec<Item>,
        replace: bool,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Imported>, Refusal> {
        self.put_items(items, replace, "catalogue.import", actor, now)
    }

    /// What [`Shop::import`] would change.
    pub fn would_import(
        &self,
        items: Vec<Item>,
        replace: bool,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Imported, Refusal> {
        Ok(self.import(items, replace, actor, now)?.would())
    }

    /// What is handed over on line for an article, from now on.
    pub fn put_content(
        &self,
        sku: &str,
        content: Vec<u8>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<()>, Refusal> {
        match self.items.get(sku) {
            None => return Err(Refusal::NotFound("article")),
            Some(item) if !item.digital => {
                return Err(Refusal::Value("only a digital article is handed over on line".to_owned()));
            }
            Some(_) => {}
        }
        let mut draft = Draft::at(self, now);
        draft.put(Change::Content(sku.to_owned(), content));
        draft.audit(actor, "item.content", "done", sku);
        Ok(draft.decide(()))
    }

    fn put_items(
        &self,
        items: Vec<Item>,
        replace: bool,
        method: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Imported>, Refusal> {
        let version = self.version + 1;
        let mut done = Imported { version: self.version, ..Imported::default() };
        let mut changed = Vec::new();
        if replace {
            let kept: std::collections::BTreeSet<&str> = items.iter().map(|item| item.sku.as_str()).collect();
            let gone = self.items.values().filter(|item| item.active && !kept.contains(item.sku.as_str()));
            changed.extend(gone.map(|item| Item { active: false, version, ..item.clone() }));
            done.ended = count(changed.len());
        }
        for item in items {
            match self.items.get(&item.sku) {
                Some(known) if known.is_same(&item) => done.same += 1,
                known => {
                    let new = known.is_none();
                    (done.added, done.changed) =
                        (done.added + u64::from(new), done.changed + u64::from(!new));
                    changed.push(Item { version, ..item });
                }
            }
        }
        let added = usize::try_from(done.added).unwrap_or(usize::MAX);
        if self.items.len().saturating_add(added) > ITEMS_MAX {
            return Err(Refusal::TooMany("a catalogue holds 20,000 articles"));
        }
        let mut draft = Draft::at(self, now);
        if !changed.is_empty() {
            done.version = version;
            draft.event(Happening::Catalogue { version, items: count(changed.len()) });
        }
        changed.into_iter().for_each(|item| draft.put(Change::Item(item)));
        draft.audit(actor, method, "done", format!("version {}", done.version));
        Ok(draft.decide(done))
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
