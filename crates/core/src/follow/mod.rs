//! Following: who wants to hear of whom, without asking. Rows and errands are those of relations; a user may have
//! any number of followers, so nothing here reads them but by page.

pub(crate) mod commands;

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use crate::caller::Caller;
use crate::error::Outcome;
use crate::relation;

/// Whose relations, if the app lets users follow each other.
///
/// # Errors
/// `FollowDisabled`, and those of [`relation::owner`].
async fn owner(caller: &Caller, named: Option<UserId>) -> Outcome<UserId> {
    if !caller.app().facts().settings.follow_enabled {
        return Err(ErrorCode::FollowDisabled.into());
    }
    relation::owner(caller, named).await
}
