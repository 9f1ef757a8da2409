//! `openconfigsvr/setnospeaking`: mutes a user one to one, in all groups, or both.
//!
//! Callers: administrators. What backends send in the user's name is not affected.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::mute;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openconfigsvr/setnospeaking").rest();

request! {
    pub(crate) struct Request {
        /// The user.
        user: UserId = "Set_Account" else ConfigSetAccountMissing malformed ConfigSetAccountInvalid,
        /// Seconds from now for which he may write to nobody (20012); 0 ends it, 4294967295 is for ever.
        c2c_s: Option<u32> = "C2CmsgNospeakingTime",
        /// The same for all groups (10017). At least one of the two is given.
        groups_s: Option<u32> = "GroupmsgNospeakingTime",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Request { user, c2c_s, groups_s } = request;
    if c2c_s.is_none() && groups_s.is_none() {
        let info = "neither C2CmsgNospeakingTime nor GroupmsgNospeakingTime is given";
        return Err(Error::with(ErrorCode::ConfigMuteTimeMissing, info).into());
    }
    if mute::set(caller.node(), caller.app(), &user, c2c_s, groups_s).await? {
        return Ok(Empty {});
    }
    let info = format!("{user}: the account does not exist");
    Err(Error::with(ErrorCode::ConfigSetAccountInvalid, info).into())
}
