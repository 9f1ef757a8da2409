//! `group_open_http_svc/group_msg_recall`: recalls messages of a group. Each keeps its place in the history, without
//! its content, and does not count as unread any more; all members are told, and all other devices of the caller.
//!
//! Callers: administrators for messages of any age. Owner and admins of the group for messages of any age, too; members
//! for their own, within the time that the app allows. In a live room what was said in the last minute can be recalled,
//! of that the last 200 messages.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::{faces, standing};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::changes::{self, Actor, Recall};
use crate::group::{self, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/group_msg_recall").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The messages, 1 to 10.
        msg_seq_list: Vec<Message> = "MsgSeqList",
        /// Told to the members, at most 256 bytes.
        reason: Option<String> = "Reason",
    }
}

/// One message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Message {
    /// Its place in the group.
    msg_seq: u64,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request, each message once.
    recall_ret_list: Vec<Recalled>,
}

/// What became of one message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Recalled {
    msg_seq: u64,
    /// 0: it is recalled; 10007: the caller may not; 10030: there is no such message; 10031: it is too old; 10032: it is
    /// recalled already, or tells what happened in the group.
    ret_code: i32,
}

const MESSAGES_MAX: usize = 10;
const REASON_BYTES_MAX: usize = 256;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let count = request.msg_seq_list.len();
    if !(1..=MESSAGES_MAX).contains(&count) {
        let info = format!("MsgSeqList has {count} messages, 1 to {MESSAGES_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let reason = request.reason.as_deref().unwrap_or_default();
    if reason.len() > REASON_BYTES_MAX {
        let info = format!("Reason is {} bytes, at most {REASON_BYTES_MAX}", reason.len());
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let mut seen = BTreeSet::new();
    let seqs = request.msg_seq_list.iter().map(|message| message.msg_seq);
    let seqs: Vec<u64> = seqs.filter(|seq| seen.insert(*seq)).collect();
    let actor = Actor::of(&caller)?;
    let entity = group::group(node, app, id).await?;
    let (group, standing) = entity
        .read(|state| Ok::<_, Error>((state.reference(app.id(), id)?, standing(&caller, state))))?;
    let settings = &app.facts().settings;
    if !settings.group_recall_enabled {
        return Err(ErrorCode::RecallDisabled.into());
    }
    let recall = Recall {
        actor: &actor,
        reason,
        faces: faces(&caller, &actor.user, []).await?,
        within_s: settings.group_recall_s,
    };
    let recalls = if room::is_room(group.kind) {
        room::recall(node, app, &group, &seqs, standing, &recall)
    } else {
        changes::recall(node, app, id, &seqs, &recall).await?
    };
    let recalled = |(msg_seq, outcome): (u64, Result<(), Error>)| Recalled {
        msg_seq,
        ret_code: outcome.err().map_or(0, |error| error.code.number()),
    };
    Ok(Response { recall_ret_list: recalls.into_iter().map(recalled).collect() })
}
