//! The catalogue as a spreadsheet's file: read whole or not at all, written so that it reads back the same.
//!
//! A cell that a spreadsheet would take for a formula is written with an apostrophe before it, which is taken off again
//! when it is read. Prices are decimal, with a point.

use super::catalogue::{ITEMS_MAX, Item, Price};
use protocol::money::{Currency, Units};
use std::collections::BTreeMap;

/// Longest file.
pub const FILE_MAX: usize = 2 << 20;
/// So many mistakes are told; more help nobody.
const FLAWS_MAX: usize = 100;

const COLUMNS: [&str; 10] =
    ["sku", "name", "category", "rule", "price", "min", "max", "unit", "digital", "active"];

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFlaw {
    /// The line in the file, from 1; 0 for the file as a whole.
    pub line: u64,
    /// The column's name; empty for the whole line.
    pub column: String,
    /// What is wrong.
    pub why: String,
}

fn flaw(line: u64, column: &str, why: impl Into<String>) -> CsvFlaw {
    CsvFlaw { line, column: column.to_owned(), why: why.into() }
}

/// The articles of a file, or all that is wrong with it.
pub fn read(text: &str, currency: &Currency) -> Result<Vec<Item>, Vec<CsvFlaw>> {
    if text.len() > FILE_MAX {
        return Err(vec![flaw(0, "", format!("a file has at most {FILE_MAX} bytes: split it"))]);
    }
    // Spreadsheets begin a file with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let places = match reader.headers() {
        Ok(header) => columns(header)?,
        Err(why) => return Err(vec![flaw(1, "", why.to_string())]),
    };
    let (mut items, mut flaws) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.records() {
        if flaws.len() >= FLAWS_MAX {
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(why) => {
                flaws.push(flaw(why.position().map_or(0, csv::Position::line), "", why.to_string()));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        match row(&Row { record: &record, places: &places, currency }) {
            Err((column, why)) => flaws.push(flaw(line, column, why)),
            Ok(item) => match seen.insert(item.sku.clone(), line) {
                Some(first) => {
                    flaws.push(flaw(line, "sku", format!("«{}» stands in line {first}, too", item.sku)))
                }
                None => items.push(item),
            },
        }
    }
    if items.len() > ITEMS_MAX {
        flaws.push(flaw(0, "", format!("more than {ITEMS_MAX} articles")));
    }
    if items.is_empty() && flaws.is_empty() {
        flaws.push(flaw(0, "", "no article in it"));
    }
    if flaws.is_empty() { Ok(items) } else { Err(flaws) }
}

/// Where each known column stands.
fn columns(header: &csv::StringRecord) -> Result<BTreeMap<&'static str, usize>, Vec<CsvFlaw>> {
    let mut places = BTreeMap::new();
    let mut flaws = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let name = name.trim().to_lowercase();
        match COLUMNS.iter().find(|column| **column == name) {
            Some(column) if places.insert(*column, at).is_some() => {
                flaws.push(flaw(1, &name, "stands twice"))
            }
            Some(_) => {}
            None => {
                let shown: String = name.chars().take(40).collect();
                flaws.push(flaw(1, &shown, format!("unknown column; known are {}", COLUMNS.join(", "))));
            }
        }
    }
    for needed in ["sku", "name"] {
        if !places.contains_key(needed) {
            flaws.push(flaw(1, needed, "this column is needed"));
        }
    }
    flaws.truncate(FLAWS_MAX);
    if flaws.is_empty() { Ok(places) } else { Err(flaws) }
}

struct Row<'a> {
    record: &'a csv::StringRecord,
    places: &'a BTreeMap<&'static str, usize>,
    currency: &'a Currency,
}

type Bad = (&'static str, String);

impl Row<'_> {
    fn text(&self, column: &str) -> String {
        let cell = self.places.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim();
        unguarded(cell).to_owned()
    }

    fn units(&self, column: &'static str) -> Result<Option<Units>, Bad> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        self.currency.parse(&text).map(Some).map_err(|flaw| (column, flaw.to_string()))
    }

    fn yes(&self, column: &'static str, otherwise: bool) -> Result<bool, Bad> {
        match self.text(column).to_lowercase().as_str() {
            "" => Ok(otherwise),
            "yes" | "true" | "1" => Ok(true),
            "no" | "false" | "0" => Ok(false),
            other => Err((
                column,
                format!("«{}» is neither yes nor no", other.chars().take(20).collect::<String>()),
            )),
        }
    }

    fn price(&self) -> Result<Price, Bad> {
        let (price, min, max) = (self.units("price")?, self.units("min")?, self.units("max")?);
        let needed = || ("price", "a price is needed".to_owned());
        if self.text("rule") != "free" && (min.is_some() || max.is_some()) {
            return Err(("rule", "min and max stand beside the rule «free» only".to_owned()));
        }
        match self.text("rule").as_str() {
            "" | "fixed" => Ok(Price::Fixed(price.ok_or_else(needed)?)),
            "suggested" => Ok(Price::Suggested(price.ok_or_else(needed)?)),
            "free" if price.is_some() => {
                Err(("price", "a free price has none; write min and max".to_owned()))
            }
            "free" => Ok(Price::Free {
                least: min.unwrap_or_default(),
                most: max.ok_or(("max", "a free price needs its most".to_owned()))?,
            }),
            other => {
                let other: String = other.chars().take(20).collect();
                Err(("rule", format!("«{other}» is none of fixed, suggested, free")))
            }
        }
    }
}

fn row(row: &Row<'_>) -> Result<Item, Bad> {
    if row.record.len() != row.places.len() {
        let (has, wants) = (row.record.len(), row.places.len());
        return Err(("", format!("{has} cells where the header has {wants}")));
    }
    let item = Item {
        sku: row.text("sku"),
        name: row.text("name"),
        category: row.text("category"),
        price: row.price()?,
        unit: row.text("unit"),
        digital: row.yes("digital", false)?,
        active: row.yes("active", true)?,
        version: 0,
    };
    item.check()?;
    Ok(item)
}

/// The articles as a file.
pub fn write<'a>(items: impl IntoIterator<Item = &'a Item>, currency: &Currency) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let show = |units: Units| currency.show(units);
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    for item in items {
        let (price, least, most) = match item.price {
            Price::Fixed(price) | Price::Suggested(price) => (show(price), String::new(), String::new()),
            Price::Free { least, most } => (String::new(), show(least), show(most)),
        };
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        rows.push([
            guarded(&item.sku),
            guarded(&item.name),
            guarded(&item.category),
            item.price.word().to_owned(),
            price,
            least,
            most,
            guarded(&item.unit),
            yes(item.digital),
            yes(item.active),
        ]);
    }
    for row in rows {
        writer.write_record(&row).expect("a list in memory takes every row");
    }
    let bytes = writer.into_inner().expect("a list in memory takes every row");
    String::from_utf8(bytes).expect("all cells are texts")
}

/// Whether a spreadsheet would take it for a formula, with or without apostrophes before it.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

fn guarded(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

fn unguarded(cell: &str) -> &str {
    if is_formula(cell) { cell.strip_prefix('\'').unwrap_or(cell) } else { cell }
}
