//! `group_open_http_svc/import_group`: writes a group of another system, with the time of its making.
//!
//! Callers: administrators. The owner is in since then, other members and messages are imported afterwards, the
//! messages first: then each member sees what he saw there. The group keeps the id that the other system has
//! generated, and is active at once, also one of type `Private`. Nobody is told, no webhook is called.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, GroupType, InviteJoinOption, Switch};
use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use super::CustomField;
use super::create_group::{self, Asked, Response};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group::{import, rules};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/import_group").rest();

request! {
    pub(crate) struct Request {
        /// `Private` (Work), `Public`, `ChatRoom` (Meeting) or `Community`.
        kind: GroupType = "Type",
        /// 1 to 100 bytes (a setting).
        name: String = "Name",
        /// The owner; nobody when absent.
        owner: Option<UserId> = "Owner_Account" else GroupAccountUnknown,
        /// The id that it had; of a community, and of no other, it begins with `@TGS#_`. Made by the server when
        /// absent.
        group_id: Option<String> = "GroupId" malformed GroupIdInvalid,
        /// At most 240 bytes (a setting).
        introduction: Option<String> = "Introduction",
        /// At most 300 bytes (a setting).
        notification: Option<String> = "Notification",
        /// At most 500 bytes (a setting).
        face_url: Option<String> = "FaceUrl",
        /// Most members; by default what the app allows.
        max_member_count: Option<u32> = "MaxMemberCount" | "MaxMemberNum",
        /// What happens to those who ask to join.
        apply_join_option: Option<ApplyJoinOption> = "ApplyJoinOption",
        /// What happens to invitations.
        invite_join_option: Option<InviteJoinOption> = "InviteJoinOption",
        /// 1: a community with topics.
        support_topic: Option<u32> = "SupportTopic",
        /// Custom fields; none can be declared yet.
        app_defined_data: Option<Vec<CustomField>> = "AppDefinedData",
        /// `On`: only owner and admins may speak. Our own field: a switch afterwards would be told by a tip.
        mute_all_member: Option<Switch> = "MuteAllMember" | "ShutUpAllMember",
        /// When it was made, unix seconds, not in the future; now when absent.
        create_time: Option<UnixSeconds> = "CreateTime",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let rules = rules::of(request.kind);
    rules.offers(rules.stored)?;
    let now = caller.now().seconds();
    let created = request.create_time.unwrap_or(now);
    if created.0 == 0 || !import::is_possible(created, 0, now) {
        let info = format!("CreateTime is {created}, now is {now}");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let asked = Asked {
        kind: request.kind,
        name: request.name,
        owner: request.owner,
        group_id: request.group_id,
        introduction: request.introduction,
        notification: request.notification,
        face_url: request.face_url,
        max_member_count: request.max_member_count,
        apply_join_option: request.apply_join_option,
        invite_join_option: request.invite_join_option,
        support_topic: request.support_topic,
        app_defined_data: request.app_defined_data,
        member_list: None,
        mute_all: request.mute_all_member == Some(Switch::On),
        imported: Some(created),
    };
    create_group::make(&caller, asked).await
}
