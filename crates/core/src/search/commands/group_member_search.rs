//! `group_member_search/query`: members whose id, nick or name card has the keywords, of groups that the caller is
//! in. Members are looked through in order, so many for one request; the answer says where to go on.
//!
//! Callers: users.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::{GroupId, UserId};

use super::{FoundGroup, is_wanted, number};
use crate::app::App;
use crate::caller::{Caller, Who};
use crate::conversation::groups;
use crate::error::Outcome;
use crate::group;
use crate::group::view::{self, Choice, Membership, Names, Wanted};
use crate::node::{Node, decode_row};
use crate::operation::Operation;
use crate::profile::{self, Face};
use crate::request;
use crate::rows::{GroupInfoRow, Home, ProfileRow, key};
use crate::search::{Query, count, refused};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_member_search/query").gateway();

request! {
    pub(crate) struct Request {
        /// 1 to 5 of 1 to 100 bytes each; letters are the same in either case.
        keywords: Vec<String> = "Keywords",
        /// 0: one of the keywords is enough, 1: all are wanted.
        match_type: Option<u32> = "KeywordMatchType",
        /// Only members of these groups, at most 50; of all that the caller is in when absent or empty.
        groups: Option<Vec<GroupId>> = "GroupIdList",
        /// Only members of groups of these types.
        types: Option<Vec<GroupType>> = "GroupType",
        /// Members wanted, 1 to 100; 20 when absent.
        count: Option<u32> = "Count",
        /// Of the last answer; empty at first.
        cursor: Option<String> = "Cursor",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// Members in this answer: how many there are is not known before all were looked at.
    total_count: usize,
    /// Where to go on; empty when all were looked at.
    cursor: String,
    /// By group, the owner first, then in the order in which they came.
    group_members: Vec<Found>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    group: FoundGroup,
    #[serde(rename = "GroupMemberUserID")]
    user: UserId,
    #[serde(rename = "GroupMemberUserName")]
    nick: String,
    #[serde(rename = "GroupMemberNameCard")]
    name_card: String,
    #[serde(rename = "GroupMemberAvatar")]
    avatar: String,
}

const GROUPS_MAX: usize = 50;
/// What one request looks at.
const MEMBERS_LOOKED_AT: usize = 2_000;
const GROUPS_LOOKED_AT: usize = 50;
/// Members that are looked at together.
const MEMBERS_AT_ONCE: usize = 500;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::CallerNotLoggedIn.into()) };
    let (node, app) = (caller.node(), caller.app());
    let query = Query::new(&request.keywords, request.match_type)?;
    let count = count(request.count)?;
    let from = Position::parse(request.cursor.as_deref())?;
    let chosen = request.groups.as_ref().filter(|groups| !groups.is_empty());
    if let Some(groups) = chosen.filter(|groups| groups.len() > GROUPS_MAX) {
        let info = format!("GroupIdList has {} groups, at most {GROUPS_MAX}", groups.len());
        return Err(refused(info).into());
    }
    let mut ids: BTreeSet<GroupId> =
        groups::all(node, app, &identity.user).await?.into_iter().collect();
    if let Some(chosen) = chosen {
        ids.retain(|id| chosen.contains(id));
    }
    let mut search = Search { node, app, query, count, left: MEMBERS_LOOKED_AT, found: Vec::new() };
    let ids = ids.into_iter().filter(|id| from.group.as_ref().is_none_or(|from| id >= from));
    for (looked_at, id) in ids.enumerate() {
        let skip = if from.group.as_ref() == Some(&id) { from.skip } else { 0 };
        if looked_at == GROUPS_LOOKED_AT {
            return Ok(search.answer(Some(Position { group: Some(id), skip })));
        }
        let info = group::group(node, app, &id).await?.read(|state| {
            state.member(&identity.user, identity.tiny_id)?;
            let sees =
                |info: &&GroupInfoRow| !state.is_inactive() || info.owner == identity.user.as_str();
            state.info().ok().filter(sees).cloned()
        });
        let wanted = |info: &GroupInfoRow| is_wanted(info.kind(), request.types.as_deref());
        let Some(info) = info.filter(wanted) else { continue };
        if let Some(skip) = search.look_through(&id, &info, skip).await? {
            return Ok(search.answer(Some(Position { group: Some(id), skip })));
        }
    }
    Ok(search.answer(None))
}

struct Search<'a> {
    node: &'a Node,
    app: &'a App,
    query: Query,
    count: usize,
    /// How many members may still be looked at.
    left: usize,
    found: Vec<Found>,
}

impl Search<'_> {
    /// Looks through a group; says how many members to skip if there are more than this request may see.
    async fn look_through(
        &mut self,
        id: &GroupId,
        info: &GroupInfoRow,
        mut skip: usize,
    ) -> Outcome<Option<usize>> {
        let nothing = BTreeSet::new();
        let wanted = Wanted { fields: Some(&nothing), custom: None, names: Names::Old };
        loop {
            let take = MEMBERS_AT_ONCE.min(self.left);
            if take == 0 || self.found.len() == self.count {
                return Ok(Some(skip));
            }
            let choice = Choice { skip, take: Some(take), ..Choice::default() };
            let members = view::members(self.node, self.app, id, &choice, wanted).await?;
            let is_last = members.len() < take;
            let faces = faces(self.node, self.app, &members).await?;
            for (member, (nick, avatar)) in members.into_iter().zip(faces) {
                if self.found.len() == self.count {
                    return Ok(Some(skip));
                }
                skip += 1;
                self.left -= 1;
                let Membership { user, member, .. } = member;
                if self.query.finds(&[user.as_str(), &nick, &member.name_card]) {
                    let group = FoundGroup::of(id.clone(), info.clone());
                    let name_card = member.name_card;
                    self.found.push(Found { group, user, nick, name_card, avatar });
                }
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    fn answer(self, next: Option<Position>) -> Response {
        Response {
            total_count: self.found.len(),
            cursor: next.map_or_else(String::new, |next| next.to_text()),
            group_members: self.found,
        }
    }
}

/// Nick and avatar of members, in one batched read.
async fn faces(node: &Node, app: &App, members: &[Membership]) -> Outcome<Vec<Face>> {
    let profile = |membership: &Membership| {
        (Home::User(app.id(), membership.user.clone()).partition(), key::profile())
    };
    let keys: Vec<_> = members.iter().map(profile).collect();
    let rows = node.store().get_many(&keys).await?;
    rows.into_iter()
        .map(|row| {
            let row: ProfileRow = row.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
            Ok(profile::face(&profile::from_row(row)))
        })
        .collect()
}

/// Where to go on.
struct Position {
    /// With this group, or from the beginning.
    group: Option<GroupId>,
    /// Behind so many of its members.
    skip: usize,
}

impl Position {
    fn parse(cursor: Option<&str>) -> Result<Self, Error> {
        let Some(text) = cursor.filter(|text| !text.is_empty()) else {
            return Ok(Self { group: None, skip: 0 });
        };
        let invalid = || refused("Cursor is none that an answer has given".to_owned());
        let (skip, group) = text.split_once('/').ok_or_else(invalid)?;
        let group = GroupId::parse(group).map_err(|_| invalid())?;
        Ok(Self { group: Some(group), skip: number(Some(skip))? })
    }

    fn to_text(&self) -> String {
        let group = self.group.as_ref().map_or("", GroupId::as_str);
        format!("{}/{group}", self.skip)
    }
}
