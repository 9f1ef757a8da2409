//! `group_open_http_svc/handle_apply_join_group`: decides on an application. Whoever asked is told.
//!
//! Callers: owner, admins.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};

use super::{faces, may_join_more, settle, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{Event, JoinAnswered};
use crate::group::membership::{self, Act};
use crate::group::rules::Standing;
use crate::group::{self, change_group};
use crate::node::decode_row;
use crate::operation::Operation;
use crate::request;
use crate::rows::{ApplicationRow, Home, key};

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("group_open_http_svc/handle_apply_join_group").gateway().million();

request! {
    pub(crate) struct Request {
        /// The group.
        group_id: GroupId = "GroupId" malformed GroupIdInvalid,
        /// Who asked.
        applicant: UserId = "Applicant_Account",
        /// `Agree` or `Reject`.
        handle_msg: String = "HandleMsg",
        /// Told to who asked.
        approval_msg: Option<String> = "ApprovalMsg",
        /// Of the notice: names the application.
        authentication: Option<String> = "Authentication",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let (node, app, id) = (caller.node(), caller.app(), &request.group_id);
    let accepted = match request.handle_msg.as_str() {
        "Agree" => true,
        "Reject" => false,
        other => {
            let info = format!("HandleMsg is {other}, Agree or Reject are possible");
            return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
        }
    };
    let user = &request.applicant;
    let operator = super::operator(&caller, None)?;
    let entity = group::group(node, app, id).await?;
    let incarnation = entity.read(|state| -> Result<u64, Error> {
        state.info()?;
        if standing(&caller, state) > Standing::Admin {
            return Err(ErrorCode::GroupPermissionDenied.into());
        }
        Ok(state.head.incarnation)
    })?;
    let partition = Home::Group(app.id(), id.clone()).partition();
    let row = node.store().get(&partition, &key::application(incarnation, user)).await?;
    let row: ApplicationRow = match row {
        Some(row) => decode_row(&row)?,
        None => return Err(ErrorCode::ApplicationHandled.into()),
    };
    let is_named = |named: &String| named.is_empty() || *named == row.asked_ms.to_string();
    if !request.authentication.as_ref().is_none_or(is_named) {
        return Err(ErrorCode::ApplicationHandled.into());
    }
    let is_there = super::accounts(&caller, std::slice::from_ref(user)).await?[0];
    let is_same = is_there == Some(TinyId(row.tiny_id));
    if accepted && !may_join_more(&caller, std::slice::from_ref(user)).await?[0] {
        return Err(ErrorCode::OwnGroupsFull.into());
    }
    let faces = faces(&caller, &operator, [user]).await?;
    change_group(node, app, id, |state, change| {
        let group = state.reference(app.id(), id)?;
        if standing(&caller, state) > Standing::Admin || state.head.incarnation != incarnation {
            return Err(ErrorCode::GroupPermissionDenied.into());
        }
        change.delete(key::application(incarnation, user));
        let tiny_id = TinyId(row.tiny_id);
        if !is_same || state.member(user, tiny_id).is_some() {
            return Ok(());
        }
        change.event(Event::JoinAnswered(JoinAnswered {
            group: group.clone(),
            user: user.clone(),
            accepted,
            wording: request.approval_msg.clone().unwrap_or_default(),
            operator: operator.to_string(),
        }));
        if accepted {
            membership::check_room(state, 1)?;
            let act = Act { node, group, operator: user.as_str(), faces: &faces };
            state.join_as_asked(&act, (user, tiny_id), None, change)?;
        }
        Ok(())
    })
    .await?;
    settle(&caller, id).await?;
    Ok(Empty {})
}
