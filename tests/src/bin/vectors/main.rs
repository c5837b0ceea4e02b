//! Frozen vectors of the protocol, made from fixed secrets (SPEC §6).
//!
//! `cargo run -p tests --bin vectors -- --write` writes `tests/vectors/`; without `--write` it only says
//! whether what is there is still what comes out. A vector that changes is a change of the protocol.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a generator stops where its input is wrong"
)]

mod bodies;
mod cases;
mod chains;
mod lines;
mod messages;
mod orders;
mod papers;
mod post;
#[path = "../../../../protocol/tests/all/scene.rs"]
mod scene;
mod seals;
mod shop;
mod shops;
mod signatures;

use anyhow::{Context, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Writes or checks the vectors.
#[derive(clap::Parser)]
struct Options {
    /// Write the files instead of comparing them.
    #[arg(long)]
    write: bool,
    /// Write the vectors' bytes here, too, one file each, as first inputs for the fuzz targets.
    #[arg(long)]
    seeds: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = <Options as clap::Parser>::parse();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    for (name, value) in all() {
        let path = folder.join(format!("{name}.json"));
        let text = format!("{value:#}\n");
        if options.write {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&path, text)?;
        } else if std::fs::read_to_string(&path).with_context(|| path.display().to_string())? != text {
            bail!("{} is not what this program makes", path.display());
        }
    }
    options.seeds.map_or(Ok(()), |into| write_seeds(&into))
}

fn all() -> [(&'static str, Value); 7] {
    [
        ("bodies", bodies::all()),
        ("chains", chains::all()),
        ("envelopes", seals::all()),
        ("keys", lines::keys()),
        ("lines", lines::all()),
        ("messages", messages::all()),
        ("signatures", signatures::all()),
    ]
}

/// A few valid inputs for each fuzz target, in the folders that cargo-fuzz wants.
fn write_seeds(into: &Path) -> anyhow::Result<()> {
    let seeds = [
        ("bodies", bodies::seeds()),
        ("chain", chains::seeds()),
        ("codes", lines::seeds()),
        ("envelope", seals::seeds()),
        ("note_table", chains::table_seeds()),
        ("wire_bank", messages::seeds("Bank")),
        ("wire_pay", messages::seeds("")),
    ];
    for (target, inputs) in seeds {
        let folder = into.join(target);
        std::fs::create_dir_all(&folder)?;
        for (at, bytes) in inputs.iter().enumerate() {
            std::fs::write(folder.join(format!("{at:02}")), bytes)?;
        }
    }
    Ok(())
}
