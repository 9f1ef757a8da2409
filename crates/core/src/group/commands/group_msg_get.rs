//! `group_open_http_svc/group_msg_get`: history of a group by page as a member sees it, newest first.
//!
//! Callers: members.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use crate::caller::{Caller, Who};
use crate::conversation;
use crate::error::Outcome;
use crate::group;
use crate::group::changes::Actor;
use crate::group::history::{self, Recalled, Wanted};
use crate::group::pins;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/group_msg_get").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The highest sequence number wanted; the newest when absent or 0.
        req_msg_seq: Option<u64> = "ReqMsgSeq",
        /// Messages wanted, 1 to 100; 20 when absent.
        req_msg_number: Option<u64> = "ReqMsgNumber",
        /// 1: recalled messages leave a place (`IsPlaceMsg` 2), without what they said; else they are left out.
        with_recalled_msg: Option<u32> = "WithRecalledMsg",
        /// Single messages by sequence number; more than 100 are cut.
        req_msg_seq_list: Option<Vec<u64>> = "ReqMsgSeqList",
        /// 3: of the single messages also pinned ones of before the caller came.
        get_type: Option<u32> = "GetType",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    group_id: GroupId,
    /// 2: nothing older is there; 1: there is, or there are newer ones after a full page.
    is_finished: u8,
    /// Where the next page begins; 0 at the end.
    next_req_msg_seq: u64,
    /// Newest first, in the shape of their pushes.
    #[schemars(with = "Vec<serde_json::Value>")]
    rsp_msg_list: Vec<Box<RawValue>>,
    /// The sequence numbers in the page's range of messages that are for others only, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invisible_msg_seq: Vec<u64>,
}

/// `GetType` of a client that shows what is pinned.
const GET_PINNED: u32 = 3;
const COUNT_DEFAULT: u64 = 20;
const COUNT_MAX: u64 = 100;
const SEQS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let entity = group::group(node, app, id).await?;
    let highest = request.req_msg_seq.filter(|seq| *seq > 0).unwrap_or(u64::MAX);
    let (last, mut wanted) = entity.read(|state| -> Result<(u64, Wanted), Error> {
        let rules = state.rules()?;
        if !rules.stored {
            return Err(ErrorCode::HistoryUnsupported.into());
        }
        let member = state.member(&identity.user, identity.tiny_id);
        let member = member.ok_or(ErrorCode::GroupPermissionDenied)?;
        let wanted = Wanted {
            group: state.reference(app.id(), id)?,
            incarnation: state.head.incarnation,
            first: state.first_seen(member),
            last: highest.min(state.head.last),
            count: request.req_msg_number.unwrap_or(COUNT_DEFAULT).clamp(1, COUNT_MAX),
            viewer: Some(identity.tiny_id),
            is_changed: state.head.changes > 0,
            recalled: match request.with_recalled_msg {
                Some(1) => Recalled::Place,
                Some(_) | None => Recalled::Out,
            },
        };
        Ok((state.head.last, wanted))
    })?;
    let users = std::slice::from_ref(&identity.user);
    let row = conversation::groups::rows_of(node, app, id, users).await?.pop().flatten();
    let cleared = row.filter(|row| row.incarnation == wanted.incarnation);
    wanted.first = wanted.first.max(cleared.map_or(1, |row| row.cleared_through + 1));
    let messages = match &request.req_msg_seq_list {
        Some(seqs) => {
            let seqs = &seqs[..seqs.len().min(SEQS_MAX)];
            let mut messages = history::at(node, app, &wanted, seqs).await?;
            if request.get_type == Some(GET_PINNED) {
                let seen: BTreeSet<u64> = messages.iter().map(|said| said.seq).collect();
                let pins = pins::all(node, app, id, &Actor::of(&caller)?).await?;
                let pinned = pins.into_iter().map(|pin| pin.said);
                messages.extend(pinned.filter(|m| seqs.contains(&m.seq) && !seen.contains(&m.seq)));
            }
            messages
        }
        None => {
            let page = history::page(node, app, &wanted).await?;
            let next = if page.first > wanted.first { page.first - 1 } else { 0 };
            // A client that lost its connection asks for a full page that begins with the last message it
            // has, and goes on with newer ones unless it is told that this was all.
            let is_whole = wanted.last + 1 >= wanted.first + wanted.count;
            let is_finished = next == 0 && !(is_whole && highest < last);
            let response = Response::of(request.group_id, &page.messages, next, is_finished);
            return Ok(Response { invisible_msg_seq: page.hidden, ..response });
        }
    };
    Ok(Response::of(request.group_id, &messages, 0, true))
}

impl Response {
    fn of(
        group_id: GroupId,
        messages: &[crate::group::message::GroupSaid],
        next: u64,
        is_finished: bool,
    ) -> Self {
        Self {
            group_id,
            is_finished: if is_finished { 2 } else { 1 },
            next_req_msg_seq: next,
            invisible_msg_seq: Vec::new(),
            rsp_msg_list: messages.iter().map(crate::group::message::GroupSaid::to_json).collect(),
        }
    }
}
