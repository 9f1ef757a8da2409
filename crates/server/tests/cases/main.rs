//! Plays every case of `spec/cases`, and `spec/group-types.toml`, against the real server, over real sockets, each in an app of its
//! own; `spec/README.md` describes the files.
//!
//! `CASES=c2c/sendmsg cargo test -p teahouse-server --test cases` plays only the cases whose file and
//! name (`c2c/sendmsg.toml: a message is sent`) contain the text.

mod client;
mod format;
mod matchers;
mod run;
mod server;
mod tokens;
mod types;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use serde::Deserialize;

use crate::format::{Case, Face};
use crate::server::{App, Server};

/// Cases that are played at the same time.
const CONCURRENT_CASES: usize = 16;

#[derive(Deserialize)]
struct Endpoints {
    endpoint: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    path: String,
    faces: Vec<Face>,
    status: String,
    area: String,
    #[serde(default)]
    one_way: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_is_answered_as_it_says() {
    let mut cases = format::read_all(&spec().join("cases"))
        .unwrap_or_else(|mistakes| panic!("mistakes in spec/cases:\n{}", mistakes.join("\n")));
    let types = std::fs::read_to_string(spec().join("group-types.toml")).expect("it can be read");
    cases.extend(types::cases(&types).unwrap_or_else(|mistakes| panic!("{}", mistakes.join("\n"))));
    let mut failures = Vec::new();
    match std::env::var("CASES") {
        Ok(chosen) => cases.retain(|case| title(case).contains(&chosen)),
        Err(_) => failures.extend(without_cases(&cases)),
    }
    assert!(!cases.is_empty(), "no cases to play");
    let count = cases.len();
    let apps: Vec<App> = (0..count).map(App::of_case).collect();
    let server = Server::start(&apps).await.unwrap_or_else(|problem| panic!("{problem}"));
    let (server, played) = play_all(cases, apps, server).await;
    failures.extend(played);
    failures.extend(server.and_then(|mut server| server.complaint()));
    failures.sort();
    for failure in &failures {
        eprintln!("{failure}\n");
    }
    assert!(
        failures.is_empty(),
        "{count} cases played, {} failures:\n{}",
        failures.len(),
        list(&failures)
    );
}

/// The failures, and the server if nobody holds it any more.
async fn play_all(
    cases: Vec<Case>,
    apps: Vec<App>,
    server: Server,
) -> (Option<Server>, Vec<String>) {
    let server = Arc::new(server);
    let plays = cases.into_iter().zip(apps).map(|(case, app)| {
        let server = Arc::clone(&server);
        async move {
            let title = title(&case);
            let play = tokio::spawn(async move { run::play(&case, app, &server).await });
            let result = play.await.unwrap_or_else(|panic| Err(format!("the runner: {panic}")));
            result.err().map(|problem| format!("{title}: {problem}"))
        }
    });
    let failures: Vec<String> = futures_util::stream::iter(plays)
        .buffer_unordered(CONCURRENT_CASES)
        .filter_map(std::future::ready)
        .collect()
        .await;
    (Arc::into_inner(server), failures)
}

/// What `endpoints.toml` calls served, but no case calls.
fn without_cases(cases: &[Case]) -> Vec<String> {
    let path = spec().join("endpoints.toml");
    let text = std::fs::read_to_string(path).expect("spec/endpoints.toml can be read");
    let endpoints: Endpoints = toml::from_str(&text).expect("spec/endpoints.toml is as described");
    let called: BTreeSet<(&str, Face)> =
        cases.iter().map(|case| (case.call.operation.as_str(), case.call.face())).collect();
    let served = endpoints.endpoint.iter().filter(|row| row.status == "served" && !row.one_way);
    served
        .flat_map(|row| row.faces.iter().map(move |face| (row, *face)))
        .filter(|(row, face)| !called.contains(&(row.path.as_str(), *face)))
        .map(|(row, face)| {
            let command = row.path.rsplit('/').next().unwrap_or_default();
            format!(
                "{}/{command}.toml: {} is served on {face:?} and has no case",
                row.area, row.path
            )
        })
        .collect()
}

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec")
}

fn title(case: &Case) -> String {
    format!("{}: {}", case.file, case.name)
}

/// The first line of each failure.
fn list(failures: &[String]) -> String {
    let first = |failure: &String| failure.lines().next().unwrap_or_default().to_owned();
    failures.iter().map(first).collect::<Vec<_>>().join("\n")
}
