//! Robots: accounts that the application's backend speaks for. Their ids begin with
//! [`UserId::ROBOT_PREFIX`], and only this area makes accounts with such an id.
//!
//! The app's own row lists them, so that their number is bounded. The id of a robot that was deleted is never
//! given again: the account's tombstone says so.

pub(crate) mod commands;

use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account::{self, UserState};
use crate::app::App;
use crate::error::Outcome;
use crate::node::Node;
use crate::profile::ProfileItem;

/// Makes a robot with these profile values; of one that exists only the values are replaced.
///
/// # Errors
/// `GroupRequestIllegal`: the id was a deleted robot's, or the app has as many robots as it may have.
pub(crate) async fn create(
    node: &Arc<Node>,
    app: &App,
    robot: &UserId,
    profile: &[ProfileItem],
) -> Outcome<()> {
    if account::user(node, app, robot).await?.read(UserState::was_deleted) {
        let info = format!("{robot} was deleted; the id of a robot is not given again");
        return Err(Error::with(ErrorCode::GroupRequestIllegal, info).into());
    }
    node.list_robot(app, robot).await?;
    account::import(node, app, robot, profile).await
}

/// Deletes a robot; says whether there was one.
pub(crate) async fn delete(node: &Arc<Node>, app: &Arc<App>, robot: &UserId) -> Outcome<bool> {
    let deleted = account::delete(node, app, robot).await?;
    // Last: who repeats a call that was cut off between the two finds the robot still listed.
    Ok(node.unlist_robot(app, robot).await? || deleted)
}

/// Refuses to make an account with the id of a robot in another way. One that exists is an account like any
/// other.
///
/// # Errors
/// `AccountBadParameter`.
pub(crate) fn check_importable(state: &UserState, user: &UserId) -> Result<(), Error> {
    if !user.is_robot() || state.account().is_some() {
        return Ok(());
    }
    let info = format!("{user}: ids that begin with {} are those of robots", UserId::ROBOT_PREFIX);
    Err(Error::with(ErrorCode::AccountBadParameter, info))
}
