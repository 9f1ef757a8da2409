//! `openconfigsvr/getnospeaking`: for how long a user is still muted everywhere.
//!
//! Callers: administrators.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::mute::{self, remaining};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("openconfigsvr/getnospeaking").rest();

request! {
    pub(crate) struct Request {
        /// The user.
        user: UserId = "Get_Account" else ConfigGetAccountMissing malformed ConfigGetAccountInvalid,
    }
}

/// Seconds that are left; 0: not muted, 4294967295: for ever.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Response {
    /// One to one.
    #[serde(rename = "C2CmsgNospeakingTime")]
    c2c_s: u32,
    /// In groups.
    #[serde(rename = "GroupmsgNospeakingTime")]
    groups_s: u32,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, user) = (caller.node(), caller.app(), &request.user);
    account::existing(node, app, user, ErrorCode::ConfigGetAccountInvalid).await?;
    let mutes = mute::of(node, app, user).await?;
    let now = caller.now().seconds();
    Ok(Response {
        c2c_s: remaining(mutes.c2c_until, now),
        groups_s: remaining(mutes.groups_until, now),
    })
}
