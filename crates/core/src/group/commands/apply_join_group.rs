//! `group_open_http_svc/apply_join_group`: joins a group, or asks to. A live room is joined by a device.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, Role};
use teahouse_proto::ids::{GroupId, UserId};

use super::{faces, may_join_more, settle};
use crate::caller::{Caller, Identity, Who};
use crate::error::Outcome;
use crate::event::{Event, JoinAsked};
use crate::group::membership::{self, Act};
use crate::group::{GroupState, change_group, room};
use crate::operation::Operation;
use crate::request;
use crate::rows::{ApplicationRow, key};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/apply_join_group").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Told to those who decide; at most 300 bytes.
        apply_msg: Option<String> = "ApplyMsg",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// `JoinedSuccess` or `WaitAdminApproval`.
    joined_status: &'static str,
    /// 1: a live room. Its messages are pushed: there is nothing to poll for.
    #[serde(skip_serializing_if = "Option::is_none")]
    huge_group_flag: Option<u8>,
    /// Names the room in other requests.
    #[serde(rename = "AVChatRoomKey", skip_serializing_if = "Option::is_none")]
    room_key: Option<String>,
}

const WORDING_BYTES_MAX: usize = 300;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let wording = request.apply_msg.unwrap_or_default();
    if wording.len() > WORDING_BYTES_MAX {
        let info = format!("ApplyMsg is {} bytes, at most {WORDING_BYTES_MAX}", wording.len());
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let user = &identity.user;
    let fits = may_join_more(&caller, std::slice::from_ref(user)).await?[0];
    let faces = faces(&caller, user, []).await?;
    let joined = change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        let option = state.info()?.apply_option();
        if room::is_room(group.kind) {
            refuse_if_closed(option)?;
            return Ok(Joined::Room(group));
        }
        if state.member(user, identity.tiny_id).is_some() {
            return Err(ErrorCode::AlreadyMember.into());
        }
        refuse_if_closed(option)?;
        if !fits {
            return Err(ErrorCode::OwnGroupsFull.into());
        }
        membership::check_room(state, 1)?;
        if option == ApplyJoinOption::NeedPermission {
            let asked = node.now().0;
            let row = ApplicationRow {
                tiny_id: identity.tiny_id.0,
                asked_ms: asked,
                wording: wording.clone(),
            };
            change.put(key::application(state.head.incarnation, user), &row);
            change.event(Event::JoinAsked(JoinAsked {
                managers: managers(state),
                group,
                user: user.clone(),
                wording: wording.clone(),
                asked_ms: asked,
            }));
            return Ok(Joined::Asked);
        }
        let act = Act { node, group, operator: user.as_str(), faces: &faces };
        state.join_as_asked(&act, (user, identity.tiny_id), caller.origin(), change)?;
        Ok(Joined::In)
    })
    .await?;
    match joined {
        Joined::Asked => Ok(Response::of("WaitAdminApproval")),
        Joined::In => {
            settle(&caller, id).await?;
            Ok(Response::of("JoinedSuccess"))
        }
        Joined::Room(group) => {
            let Identity { user, tiny_id, inst_id, connection, .. } = identity;
            room::join(node, app, &group, (user, *tiny_id, *inst_id), connection, &faces);
            room::note(node, app, user, *inst_id, id, true).await?;
            let room = Response::of("JoinedSuccess");
            Ok(Response { huge_group_flag: Some(1), room_key: Some(id.to_string()), ..room })
        }
    }
}

/// What became of it.
enum Joined {
    In,
    Asked,
    Room(crate::group::message::GroupRef),
}

impl Response {
    fn of(joined_status: &'static str) -> Self {
        Self { joined_status, huge_group_flag: None, room_key: None }
    }
}

fn refuse_if_closed(option: ApplyJoinOption) -> Result<(), Error> {
    if option == ApplyJoinOption::DisableApply {
        let info = "the group takes no applications".to_owned();
        return Err(Error::with(ErrorCode::GroupPermissionDenied, info));
    }
    Ok(())
}

/// Owner and admins: those who decide.
fn managers(state: &GroupState) -> Vec<UserId> {
    let manages = |role: Option<Role>| matches!(role, Some(Role::Owner | Role::Admin));
    let managers = state.members.iter().filter(|(_, member)| manages(member.role()));
    managers.map(|(user, _)| user.clone()).collect()
}
