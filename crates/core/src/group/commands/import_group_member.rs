//! `group_open_http_svc/import_group_member`: writes up to 300 members of another system into a group, with the
//! times at which they came.
//!
//! Callers: administrators. Nobody is told, no webhook is called. Imported after the messages, a member sees
//! those of after his coming (all of them where newcomers do), and has as many of them unread as the request
//! says. Imported before, he sees all that is imported later, and has read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::group::ReceiveOption;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::{accounts, check_name_card, check_some, create_group, may_join_more, settle};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::import::{self, Entered, ImportedMember};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/import_group_member").rest();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// 1 to 300 accounts. One that is named twice comes in once.
        member_list: Vec<Member> = "MemberList",
    }
}

/// A member of another system.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Member {
    /// The account.
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    /// `Admin`, or a member when absent.
    role: Option<String>,
    /// When it came, unix seconds: not before the group was made, and not in the future; now when absent.
    join_time: Option<UnixSeconds>,
    /// How many of the last messages it has not read; more than it may see means all of those. 0 when absent.
    unread_msg_num: Option<u32>,
    /// Its name in the group, at most 50 bytes (a setting). This and what follows are fields of our own: to set them
    /// afterwards takes a call for each member, and a mute would be told by a tip.
    name_card: Option<String>,
    /// How it gets messages.
    msg_flag: Option<ReceiveOption>,
    /// Until when it is muted, unix seconds; a time in the past mutes nobody.
    mute_until: Option<u32>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    member_list: Vec<Imported>,
}

/// What became of one account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    #[serde(rename = "Member_Account")]
    member_account: UserId,
    /// 0 there is no such account, it is in as many groups as possible, or its time is impossible; 1 it is a
    /// member now; 2 it was one already.
    result: u8,
}

const MEMBERS_MAX: usize = 300;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    check_some("MemberList", request.member_list.len(), MEMBERS_MAX)?;
    let rules = group::group(node, app, id).await?.read(|state| state.rules())?;
    rules.offers(rules.backend_members)?;
    let mut named: Vec<Member> = Vec::new();
    for member in request.member_list {
        if named.iter().all(|other| other.member_account != member.member_account) {
            named.push(member);
        }
    }
    let users: Vec<UserId> = named.iter().map(|member| member.member_account.clone()).collect();
    let known = accounts(&caller, &users).await?;
    let fits = may_join_more(&caller, &users).await?;
    let now = caller.now().seconds();
    let (mut members, mut places) = (Vec::new(), Vec::new());
    for ((member, tiny_id), fits) in named.iter().zip(known).zip(fits) {
        let role = create_group::role(rules, member.role.as_deref())?;
        let name_card = member.name_card.clone().unwrap_or_default();
        check_name_card(&caller, &name_card)?;
        let tiny_id = tiny_id.filter(|_| fits);
        places.push(tiny_id.map(|_| members.len()));
        members.extend(tiny_id.map(|tiny_id| ImportedMember {
            user: member.member_account.clone(),
            tiny_id,
            role,
            joined: member.join_time.unwrap_or(now),
            unread: member.unread_msg_num.unwrap_or_default().into(),
            name_card,
            receive_option: member.msg_flag.unwrap_or(ReceiveOption::AcceptAndNotify),
            muted_until: member.mute_until.filter(|_| rules.mute).unwrap_or_default(),
        }));
    }
    let entered = import::members(node, app, id, &members).await?;
    settle(&caller, id).await?;
    let result = |(member_account, place): (UserId, Option<usize>)| Imported {
        member_account,
        result: match place.map(|place| entered[place]) {
            None | Some(Entered::TimeImpossible) => 0,
            Some(Entered::In) => 1,
            Some(Entered::Already) => 2,
        },
    };
    Ok(Response { member_list: users.into_iter().zip(places).map(result).collect() })
}
