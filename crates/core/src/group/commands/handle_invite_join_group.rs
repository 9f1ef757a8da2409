//! `group_open_http_svc/handle_invite_join_group`: who was invited to a group says whether he wants to be in it.
//! Who invited him is told.
//!
//! Callers: users.

use teahouse_proto::ids::{GroupId, UserId};

use super::handle_apply_join_group::Decision;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::pendency::PendencyType;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/handle_invite_join_group").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Who invited.
        inviter: UserId = "Inviter_Account",
        /// `Agree` or `Reject`.
        handle_msg: String = "HandleMsg",
        /// Told to who invited; at most 300 bytes.
        approval_msg: Option<String> = "ApprovalMsg",
        /// Of the notice: names the invitation.
        authentication: Option<String> = "Authentication",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = super::operator(&caller, None)?;
    let decision = Decision {
        group: &request.group_id,
        kind: PendencyType::Consent,
        user: &user,
        inviter: Some(&request.inviter),
        handle_msg: &request.handle_msg,
        wording: request.approval_msg.as_deref().unwrap_or_default(),
        authentication: request.authentication.as_deref().unwrap_or_default(),
    };
    decision.carry_out(&caller).await
}
