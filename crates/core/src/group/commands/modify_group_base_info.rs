//! `group_open_http_svc/modify_group_base_info`: edits a group, or mutes everybody in it.
//!
//! Callers: administrators; owner and admins; in groups of type Private every member, but only name, avatar,
//! introduction and notice.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, CustomField, InviteJoinOption, Switch};
use teahouse_proto::ids::{GroupId, UserId};

use super::{faces, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::custom::Declared;
use crate::group::membership::Act;
use crate::group::profile::{self, Edit};
use crate::group::{change_group, room, rules};
use crate::operation::Operation;
use crate::request;
use crate::rows::ChangedRow;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/modify_group_base_info").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// REST: who is said to have done it; the caller when absent.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 100 bytes (a setting).
        name: Option<String> = "Name",
        /// At most 240 bytes (a setting).
        introduction: Option<String> = "Introduction",
        /// At most 300 bytes (a setting).
        notification: Option<String> = "Notification",
        /// At most 500 bytes (a setting).
        face_url: Option<String> = "FaceUrl",
        /// Most members; nothing in a live room.
        max_member_num: Option<u32> = "MaxMemberNum" | "MaxMemberCount",
        /// What happens to those who ask to join.
        apply_join_option: Option<ApplyJoinOption> = "ApplyJoinOption",
        /// What happens to invitations.
        invite_join_option: Option<InviteJoinOption> = "InviteJoinOption",
        /// `On` mutes everybody but owner and admins.
        mute_all_member: Option<Switch> = "MuteAllMember" | "ShutUpAllMember",
        /// Custom fields, of those that the app has declared; an empty value removes one.
        app_defined_data: Option<Vec<CustomField>> = "AppDefinedData",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let settings = &app.facts().settings;
    rules::check_texts(
        settings,
        request.name.as_deref(),
        request.introduction.as_deref(),
        request.notification.as_deref(),
        request.face_url.as_deref(),
    )?;
    let custom = request.app_defined_data.unwrap_or_default();
    Declared::of_groups(settings).check(&custom)?;
    let operator = super::operator(&caller, request.from_account)?;
    let faces = faces(&caller, &operator, []).await?;
    let looks_only = request.apply_join_option.is_none()
        && request.invite_join_option.is_none()
        && request.mute_all_member.is_none()
        && request.max_member_num.is_none()
        && custom.is_empty();
    let edit = Edit {
        looks: ChangedRow {
            name: request.name,
            introduction: request.introduction,
            notification: request.notification,
            face_url: request.face_url,
            owner: None,
            apply_option: request.apply_join_option.map(ApplyJoinOption::number),
            invite_option: request.invite_join_option.map(InviteJoinOption::number),
            mute_all: request.mute_all_member.map(|switch| switch == Switch::On),
            custom: Vec::new(),
        },
        custom,
        max_members: request.max_member_num,
    };
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        let rules = state.rules()?;
        rules.may_edit(standing(&caller, state), looks_only)?;
        if edit.looks.invite_option.is_some() {
            rules.offers(rules.invite_may_change)?;
        }
        let mut edit = edit.clone();
        if room::is_room(group.kind) {
            edit.max_members = None;
        }
        if let Some(wanted) = edit.max_members {
            let most = profile::members_max(settings, group.kind);
            if wanted > most || (wanted as usize) < state.members.len().max(1) {
                let info =
                    format!("MaxMemberNum is {wanted}, the members there to {most} are possible");
                return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
            }
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        Ok(state.edit(&act, &edit, change)?)
    })
    .await?;
    Ok(Empty {})
}
