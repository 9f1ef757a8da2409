//! `group_open_http_svc/modify_group_member_info`: a member's role, name card, custom fields, mute, or receive
//! option.
//!
//! Callers: administrators for everything and everybody; the owner for roles, owner and admins for mutes, name
//! cards and custom fields of those below them; everybody for his own name card, custom fields and receive option.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{CustomField, ReceiveOption, Role};
use teahouse_proto::ids::{GroupId, UserId};

use super::{accounts, check_description, faces, settle, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::conversation;
use crate::error::Outcome;
use crate::event::{Event, MemberNamed, ReceiveOptionChanged};
use crate::group::membership::{Act, Description};
use crate::group::rules::{Standing, check_admins};
use crate::group::{change_group, room};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/modify_group_member_info").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// The member.
        member: UserId = "Member_Account",
        /// `Admin` or `Member`.
        role: Option<Role> = "Role",
        /// How the member gets messages; his own choice, or an administrator's.
        msg_flag: Option<ReceiveOption> = "MsgFlag",
        /// At most 50 bytes (a setting).
        name_card: Option<String> = "NameCard",
        /// Seconds; 0 ends a mute, 4294967295 is for ever.
        mute_time: Option<u32> = "MuteTime" | "ShutUpTime",
        /// Custom fields, of those that the app has declared; an empty value removes one.
        app_member_defined_data: Option<Vec<CustomField>> = "AppMemberDefinedData",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let description = Description {
        name_card: request.name_card,
        custom: request.app_member_defined_data.unwrap_or_default(),
    };
    check_description(&app.facts().settings, &description)?;
    check_role(request.role)?;
    let describes = description.name_card.is_some() || !description.custom.is_empty();
    let user = &request.member;
    let operator = super::operator(&caller, None)?;
    let faces = faces(&caller, &operator, [user]).await?;
    let is_own = !caller.is_admin() && operator == *user;
    let exists = accounts(&caller, std::slice::from_ref(user)).await?[0].is_some();
    let group = change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        let rules = state.rules()?;
        let who = standing(&caller, state);
        // In a live room everybody is as good as a member: he may be muted whether he is there or not.
        let of_viewer = (exists && room::is_room(group.kind)).then_some(Role::Member);
        let Some(target) = state.role(user).or(of_viewer) else {
            let info = format!("{user} is not a member of the group");
            return Err(Error::with(ErrorCode::GroupPermissionDenied, info).into());
        };
        let above =
            who == Standing::Backend || who < Standing::of(Some(target)).min(Standing::Member);
        if let Some(role) = request.role {
            rules.may_set_role(who, target, role)?;
            if role == Role::Admin && target != Role::Admin {
                check_admins(&app.facts().settings, state.admins() + 1)?;
            }
        }
        if request.mute_time.is_some() {
            rules.may_mute(who, Some(target))?;
        }
        if describes {
            // An owner or admin describes those below; everybody himself.
            rules.offers(rules.stored)?;
            may(is_own || (above && who <= Standing::Admin))?;
        }
        if request.msg_flag.is_some() {
            rules.offers(rules.stored)?;
            may(is_own || who == Standing::Backend)?;
        }
        let act = Act { node, group, operator: operator.as_str(), faces: &faces };
        if let Some(role) = request.role {
            state.set_role(&act, user, role, change)?;
        }
        if let Some(seconds) = request.mute_time {
            let users = std::slice::from_ref(user);
            state.set_mutes(&act, users, seconds, change)?;
        }
        if describes {
            state.describe(user, &description, change);
            if let Some(card) = &description.name_card {
                change.event(Event::MemberNamed(MemberNamed {
                    group: act.group.clone(),
                    user: user.clone(),
                    name_card: card.clone(),
                    operator: operator.to_string(),
                }));
            }
        }
        Ok(act.group)
    })
    .await?;
    if let Some(option) = request.msg_flag {
        // The row is written when the member came, which may have been a moment ago.
        settle(&caller, id).await?;
        let (user, group) = (user.clone(), group);
        let discards = option == ReceiveOption::Discard;
        let event = Event::ReceiveOptionChanged(ReceiveOptionChanged { group, user, discards });
        conversation::groups::change_row(node, app, &request.member, id, |row, change| {
            row.receive_option = option.number();
            change.event(event.clone());
        })
        .await?;
    }
    Ok(Empty {})
}

fn may(allowed: bool) -> Result<(), Error> {
    if allowed { Ok(()) } else { Err(ErrorCode::GroupPermissionDenied.into()) }
}

fn check_role(role: Option<Role>) -> Result<(), Error> {
    if role == Some(Role::Owner) {
        let info = "Role is Owner; change_group_owner makes an owner".to_owned();
        return Err(Error::with(ErrorCode::GroupBadParameter, info));
    }
    Ok(())
}
