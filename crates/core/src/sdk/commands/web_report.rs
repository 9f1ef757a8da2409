//! `imopenstat/tim_web_report_v2`: telemetry of the client packages. Counted, not kept.
//!
//! Callers: anyone on a connection.

use serde_json::value::RawValue;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("imopenstat/tim_web_report_v2").gateway().for_anyone();

request! {
    pub(crate) struct Request {
        /// Events of the client.
        events: Option<Vec<Box<RawValue>>> = "Event",
    }
}

pub(crate) async fn run(_: Caller, request: Request) -> Outcome<Empty> {
    let events = request.events.map_or(0, |events| events.len());
    metrics::counter!("teahouse_client_reports_total").increment(events as u64);
    Ok(Empty {})
}
