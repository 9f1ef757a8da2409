//! `group_open_http_svc/get_group_member_info`: the members of a group by page, the owner first, then in the
//! order in which they came.
//!
//! Callers: administrators, members. A live room has no list.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{GroupType, Role};
use teahouse_proto::ids::GroupId;

use super::{check_size, standing};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::group;
use crate::group::rules::Standing;
use crate::group::view::{self, Choice, MemberView, Names, Wanted};
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("group_open_http_svc/get_group_member_info").rest().gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Members wanted, 1 to 6000 (more are cut); all when absent.
        limit: Option<u32> = "Limit",
        /// Members to skip.
        offset: Option<u32> = "Offset",
        /// Communities: of the last answer, empty or 0 at first.
        next: Option<Box<RawValue>> = "Next",
        /// Which fields; all when absent.
        member_info_filter: Option<BTreeSet<String>> = "MemberInfoFilter",
        /// Only members with one of these roles.
        member_role_filter: Option<Vec<Role>> = "MemberRoleFilter",
        /// Which custom fields. When absent, clients get all, backends as well if they name no fields either.
        app_defined_data: Option<BTreeSet<String>> = "AppDefinedDataFilter_GroupMember",
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// All members of the group.
    member_num: u64,
    /// This page of them.
    member_list: Vec<MemberView>,
    /// Communities: where the next page begins, in the form of the request; empty (or 0) at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    next: Option<Cursor>,
}

/// A cursor as it was sent: text, or a number as older callers have it.
#[derive(Debug)]
enum Cursor {
    Text(Option<usize>),
    Number(usize),
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(Some(skip)) => serializer.serialize_str(&skip.to_string()),
            Self::Text(None) => serializer.serialize_str(""),
            Self::Number(skip) => serializer.serialize_u64(*skip as u64),
        }
    }
}

const LIMIT_MAX: u32 = 6_000;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    if request.limit == Some(0) {
        let info = format!("Limit is 0, 1 to {LIMIT_MAX} are possible");
        return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
    }
    let limit = request.limit.map(|limit| limit.min(LIMIT_MAX) as usize);
    let (skip, is_number) = cursor(&request)?;
    let entity = group::group(node, app, id).await?;
    let (count, kind) = entity.read(|state| -> Result<_, Error> {
        let rules = state.rules()?;
        rules.offers(rules.stored)?;
        if standing(&caller, state) == Standing::Stranger {
            return Err(ErrorCode::GroupPermissionDenied.into());
        }
        Ok((state.members.len(), rules.kind))
    })?;
    let wanted = Wanted {
        fields: request.member_info_filter.as_ref(),
        custom: request.app_defined_data.as_ref(),
        names: Names::of(&caller),
    };
    let roles = request.member_role_filter.as_deref();
    // One more than wanted tells whether there is a next page.
    let take = limit.map(|limit| limit + 1);
    let choice = Choice { users: None, roles, skip, take };
    let mut found = view::members(node, app, id, &choice, wanted).await?;
    let is_last = limit.is_none_or(|limit| found.len() <= limit);
    found.truncate(limit.unwrap_or(usize::MAX));
    let next = (kind == GroupType::Community).then(|| match (is_last, is_number) {
        (true, true) => Cursor::Number(0),
        (true, false) => Cursor::Text(None),
        (false, true) => Cursor::Number(skip + found.len()),
        (false, false) => Cursor::Text(Some(skip + found.len())),
    });
    let now = caller.now().seconds();
    let member_list = found.iter().map(|found| MemberView::of(found, wanted, now)).collect();
    let response = Response { member_num: count as u64, member_list, next };
    check_size(&response)?;
    Ok(response)
}

/// Members to skip, and whether the caller counts in numbers.
fn cursor(request: &Request) -> Result<(usize, bool), Error> {
    let Some(next) = &request.next else {
        return Ok((request.offset.unwrap_or_default() as usize, false));
    };
    if let Ok(number) = serde_json::from_str::<u32>(next.get()) {
        return Ok((number as usize, true));
    }
    let text: Option<String> = serde_json::from_str(next.get()).ok();
    match text.as_deref() {
        Some("") => Ok((0, false)),
        Some(text) if text.parse::<u32>().is_ok() => {
            Ok((text.parse::<u32>().expect("just seen") as usize, false))
        }
        Some(_) | None => {
            Err(Error::with(ErrorCode::GroupBadParameter, "Next is not a cursor".to_owned()))
        }
    }
}
