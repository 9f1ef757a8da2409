//! `im_open_login_svc/account_import`: makes one account, or replaces the nickname and avatar of one.
//!
//! Callers: administrators.

use teahouse_proto::ids::UserId;

use super::{Empty, profile_of};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::robot;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_open_login_svc/account_import").rest();

request! {
    pub(crate) struct Request {
        /// The account: 1 to 32 bytes of printable ASCII.
        user_id: UserId = "UserID" | "Identifier" | "UserId",
        /// Nickname, at most 500 bytes.
        nick: Option<String> = "Nick",
        /// Avatar URL, at most 500 bytes.
        face_url: Option<String> = "FaceUrl",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let settings = &caller.app().facts().settings;
    let profile = profile_of(request.nick, request.face_url, settings)?;
    let entity = account::user(caller.node(), caller.app(), &request.user_id).await?;
    entity.read(|state| robot::check_importable(state, &request.user_id))?;
    account::import(caller.node(), caller.app(), &request.user_id, &profile).await?;
    Ok(Empty {})
}
