//! One-to-one messages: the `openim` service, and how users are told of messages.

pub(crate) mod admin_getroammsg;
pub(crate) mod admin_set_msg_read;
pub(crate) mod batchsendmsg;
pub(crate) mod deletemsg;
pub(crate) mod get_c2c_peer_mute_notifications;
pub(crate) mod get_c2c_unread_msg_num;
pub(crate) mod get_peer_read_time;
pub(crate) mod getmsg;
pub(crate) mod getroammsg;
pub(crate) mod importmsg;
pub(crate) mod msgreaded;
pub(crate) mod read_all_unread_msg;
pub(crate) mod sendmsg;
pub(crate) mod set_c2c_peer_mute_notifications;
pub(crate) mod ws_get_do_not_disturb;
pub(crate) mod ws_set_do_not_disturb;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::ReceiveOption;
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

/// One of the options that there are one to one.
fn receive_option(field: &str, number: u32) -> Result<ReceiveOption, Error> {
    match number {
        0 => Ok(ReceiveOption::AcceptAndNotify),
        1 => Ok(ReceiveOption::Discard),
        2 => Ok(ReceiveOption::AcceptNotNotify),
        other => {
            let info = format!("{field} is {other}, 0 to 2 are possible");
            Err(Error::with(ErrorCode::RequestIllegal, info))
        }
    }
}
