//! `openim_msg_ext_http_svc/group_reaction_iterate`: who has given one reaction to a message of a group, by page.
//!
//! Callers: members, for messages that they may see.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::ids::{GroupId, UserId};

use crate::attached::reactions::USERS_MAX;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::attached;
use crate::group::changes::Actor;
use crate::operation::Operation;
use crate::request;
use crate::rows::GroupReactionRow;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openim_msg_ext_http_svc/group_reaction_iterate").gateway().feature_bit(48);

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The message.
        msg_seq: u64 = "MsgSeq",
        /// Name of the reaction.
        reaction: String = "Reaction",
        /// Where the page begins: as the page before says, the first page when 0 or absent.
        next_seq: Option<usize> = "NextSeq",
        /// Accounts wanted, 1 to 100; 100 when absent.
        count: Option<usize> = "Count",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Who has given it, the first one first.
    #[serde(rename = "Reaction_Account")]
    accounts: Vec<UserId>,
    /// Where the next page begins; 0: there are no more.
    next_seq: usize,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Request { group_id, msg_seq, reaction, next_seq, count } = request;
    let (node, app, actor) = (caller.node(), caller.app(), Actor::of(&caller)?);
    let found = attached::reactions_to(node, app, &group_id, &[msg_seq], &actor).await?;
    let of_name = found.into_iter().flatten().find(|found| found.name == reaction);
    let all = of_name.as_ref().map(GroupReactionRow::given_by).unwrap_or_default();
    let (begin, count) =
        (next_seq.unwrap_or_default(), count.unwrap_or(USERS_MAX).clamp(1, USERS_MAX));
    let accounts: Vec<UserId> = all.iter().skip(begin).take(count).cloned().collect();
    let end = begin.saturating_add(accounts.len());
    Ok(Response { accounts, next_seq: if end < all.len() { end } else { 0 } })
}
