//! `recentcontact/get_contact_group`: all conversations that carry marks, custom data or groups.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::UserId;

use super::search_contact_group::{GroupItem, MarkedContact, marked};
use super::{C2C, ContactItem, PAGE, owner};
use crate::caller::{Caller, Who};
use crate::conversation::{self, missed};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/get_contact_group").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose conversations.
        from_account: Option<UserId> = "From_Account",
        /// 0 first, then `NextStartIndex`.
        start_index: u32 = "StartIndex",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// The conversations that carry something.
    contact_item: Vec<MarkedContact>,
    /// The conversation groups.
    group_item: Vec<GroupItem>,
    /// 1: all are told.
    complete_flag: u8,
    /// Where the next page begins; 0 when all are told.
    next_start_index: usize,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    if let Who::User(identity) = caller.who() {
        missed::got_list(caller.node(), caller.app(), identity).await?;
    }
    let summaries = conversation::summaries(caller.node(), caller.app(), &user).await?;
    let contact = |peer| ContactItem { kind: C2C, to_account: Some(peer), to_group_id: None };
    let all: Vec<MarkedContact> = summaries
        .into_iter()
        .filter_map(|summary| marked(contact(summary.ends.peer), &summary.row))
        .collect();
    let start = request.start_index as usize;
    let more = all.len() > start.saturating_add(PAGE);
    Ok(Response {
        contact_item: all.into_iter().skip(start).take(PAGE).collect(),
        group_item: Vec::new(),
        complete_flag: u8::from(!more),
        next_start_index: if more { start + PAGE } else { 0 },
    })
}
