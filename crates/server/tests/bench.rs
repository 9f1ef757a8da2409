//! The workloads of groups and live rooms, small, against the real binary: that everything arrives once
//! and in order is their own verdict.

mod support;

use std::ffi::OsStr;

use support::process;

async fn bench(arguments: &[&str]) -> String {
    let all: Vec<&OsStr> = ["bench"].iter().chain(arguments).map(OsStr::new).collect();
    process::succeed(&all).await
}

const SHORT: [&str; 6] = ["--rounds", "1", "--seconds", "1", "--warmup", "0"];

#[tokio::test]
async fn what_is_said_to_a_group_arrives_at_every_member() {
    let flags = ["W2", "--members", "6", "--senders", "3", "--rates", "60"];
    let report = bench(&[&flags[..], &SHORT].concat()).await;
    assert!(report.contains("60/s") && report.contains("ceiling"), "{report}");
}

#[tokio::test]
async fn what_is_said_in_a_room_arrives_at_every_viewer() {
    let flags = ["W3", "--viewers", "5", "--senders", "2", "--rates", "20,60", "--no-ceiling"];
    let report = bench(&[&flags[..], &SHORT].concat()).await;
    assert!(report.contains("60/s"), "{report}");
}

#[tokio::test]
async fn groups_of_all_sizes_are_asked() {
    let report =
        bench(&["W10-groups", "--members", "2,120", "--groups", "20", "--times", "10"]).await;
    assert!(report.contains("120 members") && report.contains("20 groups"), "{report}");
}

#[tokio::test]
async fn idle_connections_are_counted() {
    let report = bench(&["W5", "--connections", "20", "--settle", "1"]).await;
    assert!(report.contains("20 connections"), "{report}");
}
