//! Writes the data fixtures of the current format, to be checked in once for each format:
//! `cargo run -p teahouse-store --example fixture -- crates/store/tests/fixture-v1`
//!
//! A fixture is never written anew: it stands for the data of those who have not upgraded yet.

use std::{error::Error, fs, path::Path};

use teahouse_store::{Embedded, Store, embedded::Options};

#[path = "../tests/support/fixture.rs"]
mod fixture;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("name the directory to write to")?;
    let directory = Path::new(&directory);
    let store = directory.join("store");
    let options = Options { memtable_bytes_max: 64 * 1024, ..Options::default() };
    let open = Embedded::open(&store, &options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for commit in fixture::commits() {
        runtime.block_on(open.commit(commit))?;
    }
    drop(open);
    // Opened again, so that both tables and a journal with content are part of it.
    let open = Embedded::open(&store, &options)?;
    open.export(&mut fs::File::create(directory.join("export"))?)?;
    Ok(())
}
