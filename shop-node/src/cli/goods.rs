//! The catalogue.

use super::{Fault, Session};
use crate::rpc::api::{ImportFile, Imported, ItemContent, ItemQuery, ItemView};
use daemon::cli::show;
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes that are handed over for an article.
const CONTENT_MAX: u64 = 64 << 10;

/// Articles
#[derive(Debug, clap::Subcommand)]
pub(super) enum ItemWords {
    /// Articles, by number
    List {
        /// A part of the number, the name or the category
        text: Option<String>,
        /// Those that are not sold any more, too
        #[arg(long)]
        all: bool,
    },
    /// A new article, or another form of one
    Put {
        /// Its number: one word
        sku: String,
        /// What it is called
        name: String,
        /// What it costs; of a free price the most
        #[arg(allow_negative_numbers = true)]
        price: String,
        /// fixed, suggested or free
        #[arg(long, default_value = "fixed")]
        rule: String,
        /// The least of a free price
        #[arg(long, allow_negative_numbers = true)]
        min: Option<String>,
        /// Where it stands
        #[arg(long)]
        category: Option<String>,
        /// What one of it is (piece, kg, hour)
        #[arg(long)]
        unit: Option<String>,
        /// It is handed over on line
        #[arg(long)]
        digital: bool,
        /// It is not sold any more
        #[arg(long)]
        ended: bool,
    },
    /// What is handed over on line for a digital article, once the bank holds its money
    Content {
        /// Its number
        sku: String,
        /// A file of at most 64 KiB
        file: PathBuf,
    },
}

/// The catalogue as a file
#[derive(Debug, clap::Subcommand)]
pub(super) enum CatalogueWords {
    /// Take a CSV file over: all of it, or nothing
    #[command(after_help = "\
Columns: sku, name, category, rule (fixed, suggested, free), price, min, max, unit, digital, active. Only sku and name must be
there, and a price. What export writes reads back the same.

Examples:
  shop-node catalogue import articles.csv --check
  shop-node catalogue import articles.csv --replace")]
    Import {
        /// The file; `-` reads the input
        file: PathBuf,
        /// Only say what would happen
        #[arg(long)]
        check: bool,
        /// End articles that are not in the file
        #[arg(long)]
        replace: bool,
    },
    /// The catalogue as CSV
    Export {
        /// Where to; the output if left out
        file: Option<PathBuf>,
    },
}

fn units(currency: &Currency, text: &str) -> Result<Units, Fault> {
    currency.parse(text).map_err(|flaw| Fault::Usage(flaw.to_string()))
}

impl ItemWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        match self {
            ItemWords::List { text, all } => {
                let found = client.item_list(ItemQuery { text, all: all.then_some(true) }).await?;
                session.show.answer(&found, || list(&found.items, &currency))?;
            }
            ItemWords::Put { sku, name, price, rule, min, category, unit, digital, ended } => {
                let (typed, min) =
                    (units(&currency, &price)?, min.map(|text| units(&currency, &text)).transpose()?);
                let (price, max) = if rule == "free" { (None, Some(typed)) } else { (Some(typed), None) };
                let (digital, active) = (Some(digital), Some(!ended));
                let item = ItemView { sku, name, category, rule, price, min, max, unit, digital, active };
                let done = client.item_put(item).await?;
                session.show.answer(&done, || changed(&done))?;
            }
            ItemWords::Content { sku, file } => {
                let mut content = Vec::new();
                std::fs::File::open(file)?.take(CONTENT_MAX + 1).read_to_end(&mut content)?;
                let done = client.item_content(ItemContent { sku, content: hex::encode(content) }).await?;
                session
                    .show
                    .answer(&done, || "It is handed over once the bank holds the money.".to_owned())?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(items: &[ItemView], currency: &Currency) -> String {
    let row = |item: &ItemView| {
        let amount = |units: Option<Units>| units.map(|units| currency.show(units)).unwrap_or_default();
        let price = match item.rule.as_str() {
            "free" => format!("{} to {}", amount(item.min), amount(item.max)),
            _ => amount(item.price),
        };
        let category = item.category.clone().unwrap_or_default();
        [item.sku.clone(), item.name.clone(), category, price, item.rule.clone()]
    };
    show::table(["article", "name", "category", "price", "rule"], &[3], items.iter().map(row).collect())
}

fn changed(done: &Imported) -> String {
    format!(
        "{} new, {} changed, {} as before, {} ended; the catalogue is at version {}.",
        done.added, done.changed, done.same, done.ended, done.version
    )
}

impl CatalogueWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        match self {
            CatalogueWords::Import { file, check, replace } => {
                let csv = read(&file)?;
                let (replace, check) = (Some(replace), Some(check));
                let done = client.import(ImportFile { csv, replace, check }).await?;
                session.show.answer(&done, || changed(&done))?;
            }
            CatalogueWords::Export { file } => {
                let found = client.export(Empty {}).await?;
                match &file {
                    Some(path) => {
                        std::fs::write(path, &found.csv)?;
                        session.show.answer(&found, || format!("{} is written.", path.display()))?;
                    }
                    None => session.show.answer(&found, || found.csv.clone())?,
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// A file's text; one that is too long is read as far as the shop can say so.
fn read(file: &Path) -> Result<String, Fault> {
    let most = u64::try_from(crate::shop::csv::FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        let open =
            std::fs::File::open(file).map_err(|why| Fault::Usage(format!("{}: {why}", file.display())))?;
        open.take(most).read_to_end(&mut bytes)?;
    }
    String::from_utf8(bytes)
        .map_err(|_| Fault::Usage("the file is not UTF-8: save it as «CSV UTF-8» and try again".to_owned()))
}
