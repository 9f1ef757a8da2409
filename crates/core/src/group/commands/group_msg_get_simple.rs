//! `group_open_http_svc/group_msg_get_simple`: history of a group by page, newest first.
//!
//! Callers: administrators. What is for some members only is not in it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Priority;
use teahouse_proto::ids::GroupId;
use teahouse_proto::push::PLACE_RECALLED;
use teahouse_proto::time::UnixSeconds;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::history::{self, Recalled, Wanted};
use crate::group::message::GroupSaid;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/group_msg_get_simple").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Messages wanted; more than 20 are cut.
        req_msg_number: u64 = "ReqMsgNumber",
        /// The highest sequence number wanted; the newest when absent.
        req_msg_seq: Option<u64> = "ReqMsgSeq",
        /// 1: with what recalled messages said; else their `MsgBody` is empty.
        with_recalled_msg: Option<u32> = "WithRecalledMsg",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    group_id: GroupId,
    /// 1: all that was wanted is there; 0: it was cut; 2: it was cut, and all of it has expired.
    is_finished: u8,
    /// Newest first.
    rsp_msg_list: Vec<Message>,
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(rename = "From_Account")]
    from: String,
    msg_seq: u64,
    msg_random: u32,
    msg_time_stamp: UnixSeconds,
    /// 1 high, 2 normal, 3 low, 4 lowest.
    msg_priority: u32,
    /// 0: it is there; 2: it was recalled.
    is_place_msg: u8,
    /// 1: a tip.
    is_system_msg: u8,
    /// Elements; of a tip what happened; of a recalled message nothing.
    #[schemars(with = "serde_json::Value")]
    msg_body: Box<RawValue>,
    #[serde(skip_serializing_if = "String::is_empty")]
    cloud_custom_data: String,
}

const COUNT_MAX: u64 = 20;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    if request.req_msg_number == 0 {
        let info = "ReqMsgNumber is 0, 1 to 20 are possible".to_owned();
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let recalled = match request.with_recalled_msg {
        Some(1) => Recalled::Whole,
        Some(_) | None => Recalled::Place,
    };
    let entity = group::group(node, app, id).await?;
    let wanted = entity.read(|state| -> Result<Wanted, Error> {
        let rules = state.rules()?;
        rules.offers(rules.stored)?;
        Ok(Wanted {
            group: state.reference(app.id(), id)?,
            incarnation: state.head.incarnation,
            first: state.head.first_live.max(1),
            last: request.req_msg_seq.unwrap_or(u64::MAX).min(state.head.last),
            count: request.req_msg_number.min(COUNT_MAX),
            viewer: None,
            is_changed: state.head.changes > 0,
            recalled,
        })
    })?;
    let page = history::page(node, app, &wanted).await?;
    // What is asked for may reach below the first message, and there is nothing.
    let is_cut = request.req_msg_number > COUNT_MAX && page.first > wanted.first;
    let is_finished = match (is_cut, page.messages.is_empty()) {
        (false, _) => 1,
        (true, false) => 0,
        (true, true) => 2,
    };
    let rsp_msg_list = page.messages.iter().map(|said| message(said, recalled)).collect();
    Ok(Response { group_id: request.group_id, is_finished, rsp_msg_list })
}

fn message(said: &GroupSaid, recalled: Recalled) -> Message {
    let is_recalled = said.revoker_info().is_some();
    let is_empty = is_recalled && recalled != Recalled::Whole;
    Message {
        from: said.sender().unwrap_or(teahouse_proto::push::SYSTEM_ACCOUNT).to_owned(),
        msg_seq: said.seq,
        msg_random: said.row.random,
        msg_time_stamp: UnixSeconds(said.row.time),
        msg_priority: Priority::number(said.priority()),
        is_place_msg: if is_recalled { PLACE_RECALLED } else { 0 },
        is_system_msg: u8::from(said.row.tip.is_some()),
        msg_body: if is_empty { no_elements() } else { said.body_json() },
        cloud_custom_data: said.row.cloud_custom_data.clone(),
    }
}

fn no_elements() -> Box<RawValue> {
    RawValue::from_string("[]".to_owned()).expect("JSON")
}
