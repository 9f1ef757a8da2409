//! `group_open_http_svc/delete_group_ramble_msg_by_seq`: takes messages out of the caller's own history. The others keep
//! them, and the caller's other devices what they have.
//!
//! Callers: members.

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::conversation::groups;
use crate::error::Outcome;
use crate::group::{self, changes, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/delete_group_ramble_msg_by_seq").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The caller.
        deleter_account: Option<UserId> = "Deleter_Account",
        /// The messages by sequence number, 1 to 50; those that the caller does not see are left out. Clients write them
        /// as texts.
        seqs: Vec<Seq> = "Seqs",
    }
}

/// A sequence number, as a number or a text.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
pub(crate) struct Seq(u64);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Seq {
    type Error = std::num::ParseIntError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.parse().map(Self),
        }
    }
}

const MESSAGES_MAX: usize = 50;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let user = super::operator(&caller, request.deleter_account)?;
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let count = request.seqs.len();
    if count == 0 {
        return Err(Error::with(ErrorCode::GroupBadParameter, "Seqs is empty").into());
    }
    let entity = group::group(node, app, id).await?;
    let kind = entity.read(|state| state.kind())?;
    if room::is_room(kind) {
        return Err(ErrorCode::RoomDeletionUnsupported.into());
    }
    if count > MESSAGES_MAX {
        let info = format!("Seqs has {count} messages, at most {MESSAGES_MAX} are possible");
        return Err(Error::with(ErrorCode::DeletionRangeTooLarge, info).into());
    }
    let summary = groups::summary_now(node, app, &user, id).await?;
    let summary = summary.ok_or(ErrorCode::GroupPermissionDenied)?;
    let seqs: Vec<u64> = request.seqs.iter().map(|seq| seq.0).collect();
    changes::delete(node, app, &summary, (&user, identity.tiny_id), &seqs).await?;
    Ok(Empty {})
}
