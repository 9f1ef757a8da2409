//! `group_open_http_svc/send_group_system_notification`: tells members of a group who are online what the app's
//! backend has to say. It is no message: not stored, under no limit of the group, and nobody's turn to read.
//!
//! Callers: administrators.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};

use super::{check_count, distinct};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{Event, GroupNotified};
use crate::group;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/send_group_system_notification").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// What is said, 1 byte to 12 KiB (the setting of messages).
        content: String = "Content",
        /// At most 50 members, of whom those that are none are passed over; everybody when absent or empty.
        /// Not in a live room.
        to_members: Option<Vec<UserId>> = "ToMembers_Account",
    }
}

const MEMBERS_MAX: usize = 50;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app) = (caller.node(), caller.app());
    let Request { group_id: id, content, to_members } = request;
    if content.is_empty() {
        return Err(Error::with(ErrorCode::GroupBadParameter, "Content is empty").into());
    }
    let bytes_max = app.facts().settings.group_body_bytes_max as usize;
    if content.len() > bytes_max {
        let info = format!("Content is {} bytes, at most {bytes_max}", content.len());
        return Err(Error::with(ErrorCode::BodyTooLong, info).into());
    }
    let named = to_members.filter(|users| !users.is_empty());
    check_count(named.as_ref().map_or(0, Vec::len), MEMBERS_MAX)?;
    let operator = super::operator(&caller, None)?;
    let entity = group::group(node, app, &id).await?;
    let (group, to) = entity.read(|state| -> Result<_, Error> {
        let rules = state.rules()?;
        rules.offers(named.is_none() || rules.stored)?;
        let members = named.map(|users| {
            let is_in = |user: &UserId| state.members.contains_key(user);
            distinct(users).into_iter().filter(is_in).collect()
        });
        Ok((state.reference(app.id(), &id)?, members))
    })?;
    node.publish(&Event::GroupNotified(GroupNotified { group, operator, content, to }));
    Ok(Empty {})
}
