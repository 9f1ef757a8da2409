//! Logs and metrics. A dropped or failed thing is always counted here.

use std::sync::LazyLock;

use metrics::Counter;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use teahouse_core::node::Node;
use teahouse_proto::error::Error;
use teahouse_store::CommitLatency;

use crate::Failure;
use crate::config::Config;

/// Log lines go to standard error, so that standard output stays for scripts.
pub(crate) fn start_logs(config: &Config) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|problem| Failure(format!("log = {:?} is not valid: {problem}", config.log)))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started =
        if config.log_json { lines.json().try_init() } else { lines.with_target(false).try_init() };
    started.map_err(|problem| Failure(format!("logging does not start: {problem}")))
}

/// The metrics of this process.
pub(crate) fn start_metrics() -> Result<PrometheusHandle, Failure> {
    let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
    let handle = PrometheusBuilder::new()
        .set_buckets(&buckets)
        .map_err(|problem| Failure(format!("metrics do not start: {problem}")))?
        .install_recorder()
        .map_err(|problem| Failure(format!("metrics do not start: {problem}")))?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge};
    counter!("teahouse_events_total", "Domain events, by event");
    counter!("teahouse_messages_total", "Messages accepted, by kind of conversation");
    counter!("teahouse_deliveries_total", "Copies of messages queued for connections");
    counter!("teahouse_requests_total", "Requests, by face and error code");
    counter!("teahouse_frames_malformed_total", "Frames that are no requests");
    counter!("teahouse_connections_closed_total", "Connections ended by the server, by reason");
    counter!("teahouse_login_failures_total", "Signatures refused");
    counter!("teahouse_outbox_failures_total", "Outbox runs that will be repeated");
    counter!("teahouse_hooks_total", "Calls of webhooks, by command and outcome");
    counter!("teahouse_hooks_logged_total", "Events that webhooks are to tell");
    counter!("teahouse_hooks_dead_total", "Events that were given up");
    counter!(
        "teahouse_hooks_dropped_total",
        "Events that were dropped before they were sent, by why"
    );
    counter!("teahouse_messages_expired_total", "Messages removed because of their age");
    counter!("teahouse_client_reports_total", "Telemetry entries of client packages");
    counter!("teahouse_store_commits_total", "Commits, by outcome");
    counter!("teahouse_store_batches_total", "Batches of commits written");
    counter!("teahouse_store_syncs_total", "Times the device was told to make data durable");
    counter!("teahouse_store_bytes_total", "Bytes of rows committed");
    gauge!("teahouse_store_queued_commits", "Commits waiting");
    gauge!("teahouse_connections", "Open gateway connections");
    gauge!("teahouse_sessions", "Logged-in devices");
    gauge!("teahouse_cached_entities", "Entities in memory, by kind");
}

/// A face, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Rest,
    Gateway,
}

/// Counts a request by face and outcome. Good ones do not look their counter up.
pub(crate) fn count_request(face: Face, refused: Option<&Error>) {
    static GOOD: LazyLock<[Counter; 2]> =
        LazyLock::new(|| [Face::Rest, Face::Gateway].map(|f| counter(f, 0)));
    match refused {
        None => GOOD[face as usize].increment(1),
        Some(error) => counter(face, error.code.number()).increment(1),
    }
}

fn counter(face: Face, code: i32) -> Counter {
    let face = match face {
        Face::Rest => "rest",
        Face::Gateway => "gateway",
    };
    metrics::counter!("teahouse_requests_total", "face" => face, "code" => code.to_string())
}

/// The metrics page: what was counted, and the state of the node as it is now.
pub(crate) fn page(handle: &PrometheusHandle, node: &Node) -> String {
    let stats = node.store().stats();
    let count = |outcome: &'static str, value| {
        metrics::counter!("teahouse_store_commits_total", "outcome" => outcome).absolute(value);
    };
    count("ok", stats.commits);
    count("conflict", stats.conflicts);
    count("refused", stats.refused);
    metrics::counter!("teahouse_store_batches_total").absolute(stats.batches);
    metrics::counter!("teahouse_store_syncs_total").absolute(stats.syncs);
    metrics::counter!("teahouse_store_bytes_total").absolute(stats.bytes);
    metrics::gauge!("teahouse_store_queued_commits").set(stats.queued_commits as f64);
    metrics::gauge!("teahouse_sessions").set(node.hub().sessions() as f64);
    let cached = node.cached();
    metrics::gauge!("teahouse_cached_entities", "kind" => "user").set(cached.users as f64);
    metrics::gauge!("teahouse_cached_entities", "kind" => "pair").set(cached.pairs as f64);
    metrics::gauge!("teahouse_cached_entities", "kind" => "group").set(cached.groups as f64);
    metrics::gauge!("teahouse_rooms").set(cached.rooms as f64);
    handle.run_upkeep();
    let mut page = handle.render();
    latency(&mut page, &stats.latency);
    page
}

/// The store keeps its own histogram, since it does not know this crate's metrics.
fn latency(page: &mut String, latency: &CommitLatency) {
    use std::fmt::Write;
    const NAME: &str = "teahouse_store_commit_seconds";
    let _ = writeln!(page, "# HELP {NAME} From the call of a commit to its acknowledgement");
    let _ = writeln!(page, "# TYPE {NAME} histogram");
    let mut total = 0;
    for (bound_us, count) in CommitLatency::BOUNDS_US.iter().zip(latency.counts) {
        total += count;
        let bound = *bound_us as f64 / 1e6;
        let _ = writeln!(page, "{NAME}_bucket{{le=\"{bound}\"}} {total}");
    }
    let _ = writeln!(page, "{NAME}_bucket{{le=\"+Inf\"}} {}", latency.count());
    let _ = writeln!(page, "{NAME}_sum {}", latency.sum_us as f64 / 1e6);
    let _ = writeln!(page, "{NAME}_count {}", latency.count());
}
