//! The ceilings of the embedded engine on this machine:
//! `cargo run --release -p teahouse-store --example probe -- DIRECTORY`

#![expect(clippy::print_stdout, reason = "this is a command")]

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::ready, stream};
use teahouse_store::{
    Direction, Durability, Embedded, Partition, Store,
    embedded::Options,
    family::{self, Family},
    probe::{Load, group_commit},
};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("name a new directory")?;
    let store = Embedded::open(Path::new(&directory), &Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        println!("outstanding  commits/s  commits/sync  mean latency");
        for (run, outstanding) in (0..).zip([1, 16, 64, 256, 1024, 4096]) {
            let load = Load {
                outstanding,
                partitions: 200,
                log_bytes: 300,
                head_bytes: Some(100),
                durability: Durability::Synced,
                time: Duration::from_secs(1),
            };
            let reached = group_commit(&store, run, &load).await?;
            let (rate, commits) = (reached.commits_per_s(), reached.commits);
            let mean_us = reached.latency.sum_us / commits.max(1);
            let per_sync = commits as f64 / reached.syncs.max(1) as f64;
            println!("{outstanding:11}  {rate:9.0}  {per_sync:12.1}  {mean_us:9} us");
        }
        reads(&store).await
    })
}

/// Reads with one and with several callers at a time. With one, each read pays the way to a reader
/// thread and back in full; with several, the threads stay awake.
async fn reads(store: &Embedded) -> Result<(), Box<dyn Error>> {
    const READS: u32 = 50_000;
    let names: Vec<Partition> = (0..200_u64)
        .map(|number| [&b"probe"[..], &5_u32.to_be_bytes(), &number.to_be_bytes()].concat())
        .map(Partition::new)
        .collect::<Result<_, _>>()?;
    let head = [&[family::MUTABLE], &b"head"[..]].concat();
    for callers in [1, 64] {
        let all = || stream::iter(names.iter().cycle().take(READS as usize));
        let started = Instant::now();
        let found = all().map(|name| store.get(name, &head)).buffered(callers);
        let found = found.filter(|found| ready(matches!(found, Ok(Some(_))))).count().await;
        assert_eq!(found, READS as usize);
        let get = started.elapsed() / READS;
        let started = Instant::now();
        let page = |name| store.scan(name, Family::Log.range(), Direction::Descending, 20);
        let pages = all().map(page).buffered(callers);
        let full = pages.filter(|page| ready(page.as_ref().is_ok_and(|rows| rows.len() == 20)));
        assert_eq!(full.count().await, READS as usize);
        let scan = started.elapsed() / READS;
        println!("{callers} callers: a get each {get:?}, a scan of the last 20 each {scan:?}");
    }
    Ok(())
}
