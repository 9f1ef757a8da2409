//! The ceilings of the embedded engine on this machine:
//! `cargo run --release -p teahouse-store --example probe -- DIRECTORY`

#![expect(clippy::print_stdout, reason = "this is a command")]

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

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
                time: Duration::from_secs(3),
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

/// Reads one after the other, so each pays the way to a reader thread and back in full.
async fn reads(store: &Embedded) -> Result<(), Box<dyn Error>> {
    const READS: u32 = 20_000;
    let name = |number: u32| {
        let partition = u64::from(number) % 200;
        Partition::new([&b"probe"[..], &5_u32.to_be_bytes(), &partition.to_be_bytes()].concat())
    };
    let head = [&[family::MUTABLE], &b"head"[..]].concat();
    let started = Instant::now();
    for number in 0..READS {
        store.get(&name(number)?, &head).await?.ok_or("the head is missing")?;
    }
    println!("get: {:?} each", started.elapsed() / READS);
    let started = Instant::now();
    for number in 0..READS {
        let name = name(number)?;
        let rows = store.scan(&name, Family::Log.range(), Direction::Descending, 20).await?;
        assert_eq!(rows.len(), 20);
    }
    println!("scan of the last 20: {:?} each", started.elapsed() / READS);
    Ok(())
}
