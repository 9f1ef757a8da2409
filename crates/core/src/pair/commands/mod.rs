//! One-to-one messages: the `openim` service, how users are told of messages, and
//! `openim_msg_ext_http_svc` for what is attached to them.

pub(crate) mod admin_getroammsg;
pub(crate) mod admin_msgwithdraw;
pub(crate) mod admin_set_msg_read;
pub(crate) mod batchsendmsg;
pub(crate) mod c2c_msg_read_receipt;
pub(crate) mod delete_c2c_msg_ramble;
pub(crate) mod deletemsg;
pub(crate) mod get_c2c_peer_mute_notifications;
pub(crate) mod get_c2c_unread_msg_num;
pub(crate) mod get_key_values;
pub(crate) mod get_peer_read_time;
pub(crate) mod getmsg;
pub(crate) mod getroammsg;
pub(crate) mod importmsg;
pub(crate) mod modify_c2c_msg;
pub(crate) mod msgreaded;
pub(crate) mod msgwithdraw;
pub(crate) mod reaction_add;
pub(crate) mod reaction_del;
pub(crate) mod reaction_iterate;
pub(crate) mod reaction_multi_stat;
pub(crate) mod read_all_unread_msg;
pub(crate) mod sendmsg;
pub(crate) mod set_c2c_peer_mute_notifications;
pub(crate) mod set_key_values;
pub(crate) mod ws_get_do_not_disturb;
pub(crate) mod ws_set_do_not_disturb;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::ReceiveOption;
use teahouse_proto::ids::{MsgKey, UserId};
use teahouse_proto::push::{C2cMessage, C2cNotice, Event};
use teahouse_proto::time::UnixSeconds;

use super::Ends;
use super::history::Stored;
use crate::account;
use crate::caller::{Caller, Who};
use crate::conversation;
use crate::error::Outcome;

/// # Errors
/// `MsgKeyInvalid`.
fn key_of(text: &str) -> Result<MsgKey, ErrorCode> {
    text.parse().map_err(|_| ErrorCode::MsgKeyInvalid)
}

/// A message that is named by its key, as backends do, or by the three parts of it, as clients do.
///
/// # Errors
/// `MsgKeyInvalid`.
fn key_or_parts(
    key: Option<&str>,
    parts: (Option<u32>, Option<u32>, Option<UnixSeconds>),
) -> Result<MsgKey, Error> {
    match (key, parts) {
        (Some(key), _) => Ok(key_of(key)?),
        (None, (Some(seq), Some(random), Some(time))) => Ok(MsgKey { seq, random, time }),
        (None, _) => Err(Error::with(ErrorCode::MsgKeyInvalid, "MsgKey is missing")),
    }
}

/// The keys that a request names, each once.
///
/// # Errors
/// `RequestIllegal` when there are none, or more than `max`; the first of a key.
fn different_keys<T>(
    named: &[T],
    max: usize,
    key: impl Fn(&T) -> Result<MsgKey, Error>,
) -> Result<Vec<MsgKey>, Error> {
    let count = named.len();
    if !(1..=max).contains(&count) {
        let info = format!("{count} messages, at least 1 and at most {max}");
        return Err(Error::with(ErrorCode::RequestIllegal, info));
    }
    let keys: BTreeSet<MsgKey> = named.iter().map(key).collect::<Result<_, _>>()?;
    Ok(keys.into_iter().collect())
}

/// The conversation of a message that `from` has sent to `to`, with the sender as its own end: users name
/// messages of their own conversations, administrators any. Nothing if the two never wrote to each other.
///
/// # Errors
/// `not_theirs` when a user names a message of others; over REST `FromAccountInvalid` and `ToAccountInvalid`
/// when the accounts do not exist.
async fn ends_of(
    caller: &Caller,
    from: &UserId,
    to: &UserId,
    not_theirs: ErrorCode,
) -> Outcome<Option<Ends>> {
    let (node, app) = (caller.node(), caller.app());
    match caller.who() {
        Who::User(identity) if identity.user == *from => {}
        Who::User(identity) if identity.user == *to => {
            let found = conversation::find_now(node, app, to, from).await?;
            return Ok(found.map(|(ends, _)| ends.flipped()));
        }
        Who::Admin(_) => {
            account::existing(node, app, from, ErrorCode::FromAccountInvalid).await?;
            account::existing(node, app, to, ErrorCode::ToAccountInvalid).await?;
        }
        Who::User(_) | Who::Guest { .. } | Who::System => return Err(not_theirs.into()),
    }
    Ok(conversation::find_now(node, app, from, to).await?.map(|(ends, _)| ends))
}

/// A message in an answer, in the shape of its push: written once, so that the copies agree.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct MessageJson(Box<RawValue>);

impl MessageJson {
    fn new(message: &C2cMessage<'_>) -> Self {
        Self(serde_json::value::to_raw_value(message).expect("a message is JSON"))
    }

    /// A notice in the place of a message: clients look into it first.
    fn notice(notice: C2cNotice<'_>) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Item<'a> {
            event_array: [Event<'a>; 1],
        }
        let item = Item { event_array: [Event::C2cNotices(&[notice])] };
        Self(serde_json::value::to_raw_value(&item).expect("a notice is JSON"))
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
