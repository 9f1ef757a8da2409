//! One-to-one messages: the `openim` service.

pub(crate) mod admin_getroammsg;
pub(crate) mod get_c2c_peer_mute_notifications;
pub(crate) mod get_peer_read_time;
pub(crate) mod getmsg;
pub(crate) mod getroammsg;
pub(crate) mod msgreaded;
pub(crate) mod sendmsg;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::push::C2cMessage;

use super::Ends;
use super::history::Stored;

/// A message in an answer, in the shape of its push: written once, so that the copies agree.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct MessageJson(Box<RawValue>);

impl MessageJson {
    fn new(message: &C2cMessage<'_>) -> Self {
        Self(serde_json::value::to_raw_value(message).expect("a message is JSON"))
    }

    fn of(ends: &Ends, messages: &[Stored]) -> Vec<Self> {
        messages.iter().map(|stored| Self::new(&stored.message(ends))).collect()
    }
}
