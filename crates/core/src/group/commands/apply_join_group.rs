//! `group_open_http_svc/apply_join_group`: joins a group, or asks to. A live room is joined by a device.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::ApplyJoinOption;
use teahouse_proto::ids::{GroupId, UserId};

use super::{check_wording, faces, may_join_more, settle};
use crate::caller::{Caller, Identity, Who};
use crate::error::Outcome;
use crate::group::membership::{self, Act};
use crate::group::pendency::{Asking, PendencyType};
use crate::group::{self, GroupState, change_group, room};
use crate::hook::table::Command;
use crate::hook::{self, before};
use crate::operation::Operation;
use crate::request;

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

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let wording = request.apply_msg.unwrap_or_default();
    check_wording("ApplyMsg", &wording)?;
    let user = &identity.user;
    ask(&caller, id, user).await?;
    let fits = may_join_more(&caller, std::slice::from_ref(user)).await?[0];
    let faces = faces(&caller, user, []).await?;
    let joined = change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        state.check_ban(user, node.now().seconds())?;
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
            let settings = &app.facts().settings;
            state.check_pendencies(settings, node.now(), 1)?;
            let asking = Asking {
                kind: PendencyType::Application,
                user,
                tiny_id: identity.tiny_id,
                inviter: "",
                wording: &wording,
            };
            state.ask(node, settings, &group, &asking, change);
            return Ok(Joined::Asked);
        }
        let act = Act { node, group, operator: user.as_str(), faces: &faces };
        state.join_as_asked(&act, (user, identity.tiny_id), caller.origin(), change)?;
        Ok(Joined::In)
    })
    .await;
    let joined = membership::tell_full(node, app, id, joined).await?;
    match joined {
        Joined::Asked => {
            settle(&caller, id).await?;
            Ok(Response::of("WaitAdminApproval"))
        }
        Joined::In => {
            settle(&caller, id).await?;
            Ok(Response::of("JoinedSuccess"))
        }
        Joined::Room(group) => {
            let Identity { user, tiny_id, inst_id, connection, .. } = identity;
            room::join(node, app, &group, (user, *tiny_id, *inst_id), connection, &faces);
            // Banned since it was looked at, he was put out before he came in.
            let now = node.now().seconds();
            let entity = group::group(node, app, id).await?;
            if let Err(banned) = entity.read(|state| state.check_ban(user, now)) {
                room::expel(node, app, id, std::slice::from_ref(user));
                return Err(banned.into());
            }
            room::note(node, app, user, *inst_id, id, true).await?;
            let room = Response::of("JoinedSuccess");
            Ok(Response { huge_group_flag: Some(1), room_key: Some(id.to_string()), ..room })
        }
    }
}

/// Asks the app's webhook, if there is such a group.
async fn ask(caller: &Caller, id: &GroupId, user: &UserId) -> Outcome<()> {
    let (command, app) = (Command::BeforeApplyJoinGroup, caller.app());
    if !app.wants(command) {
        return Ok(());
    }
    let kind = group::group(caller.node(), app, id).await?.read(GroupState::kind)?;
    before::operation(caller, command, &hook::OF_GROUP, |body| {
        body.put("GroupId", id).put("Type", kind.word()).put("Requestor_Account", user)
    })
    .await?;
    Ok(())
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
