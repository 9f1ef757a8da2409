//! `openim_robot_http_svc/create_robot`: makes a robot, or replaces the given profile values of one.
//!
//! Callers: administrators. An app has at most 20 robots (a setting).

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::profile::{self, ProfileItem, ProfileValue};
use crate::request;
use crate::robot;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim_robot_http_svc/create_robot").rest();

request! {
    pub(crate) struct Request {
        /// `@RBT#` and a name of the app's choice, at most 32 bytes of printable ASCII together.
        user_id: UserId = "UserID",
        /// Nickname, at most 500 bytes.
        nick: Option<String> = "Nick",
        /// Avatar URL, at most 500 bytes.
        face_url: Option<String> = "FaceUrl",
        /// What it says of itself, at most 500 bytes.
        self_signature: Option<String> = "SelfSignature",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let settings = &caller.app().facts().settings;
    let Request { user_id, nick, face_url, self_signature } = request;
    let has_name = user_id.is_robot() && user_id.len() > UserId::ROBOT_PREFIX.len();
    if !has_name {
        let info = format!("UserID is {} and a name", UserId::ROBOT_PREFIX);
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let given = [
        (profile::NICK, nick),
        (profile::IMAGE, face_url),
        (profile::SELF_SIGNATURE, self_signature),
    ];
    let mut profile = Vec::new();
    for (tag, text) in given.into_iter().filter_map(|(tag, text)| Some((tag, text?))) {
        let item = ProfileItem { tag: tag.to_owned(), value: ProfileValue::Text(text) };
        profile::check(&item.tag, &item.value, settings, true)
            .map_err(|refused| Error::with(ErrorCode::GroupBadParameter, refused.info))?;
        profile.push(item);
    }
    robot::create(caller.node(), caller.app(), &user_id, &profile).await?;
    Ok(Empty {})
}
