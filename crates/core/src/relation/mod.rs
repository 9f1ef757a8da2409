//! Relations of a user: friends, blocked users, friend requests, friend groups.
//!
//! Each relation is a row of the user, keyed by the other account (a friend group: by its name).

pub(crate) mod commands;

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;
use teahouse_store::{Direction, Row};

use crate::account;
use crate::app::App;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::node::Node;
use crate::rows::key::UserRows;
use crate::rows::{Home, key};

/// All rows of one family of a user.
pub(crate) async fn rows(
    node: &Node,
    app: &App,
    user: &UserId,
    rows: UserRows,
) -> Outcome<Vec<Row>> {
    let (from, to) = key::user_rows(rows);
    let partition = Home::User(app.id(), user.clone()).partition();
    Ok(node.store().scan(&partition, &from..&to, Direction::Ascending, usize::MAX).await?)
}

/// What the key of such a row names: an account, a group.
pub(crate) fn named(row: &Row) -> Option<&str> {
    std::str::from_utf8(row.key.get(1..)?).ok()
}

/// Whose relations: users are their own, administrators name somebody who exists.
async fn owner(caller: &Caller, named: Option<UserId>) -> Outcome<UserId> {
    if caller.is_admin() && named.is_none() {
        return Err(ErrorCode::RelationBadParameter.into());
    }
    let owner = caller.acting_as(named, ErrorCode::RelationNotAdmin)?;
    let unknown = ErrorCode::RelationAccountUnknown;
    account::existing(caller.node(), caller.app(), &owner, unknown).await?;
    Ok(owner)
}
