//! `group_open_http_svc/handle_apply_join_group`: decides on an application. Whoever asked is told.
//!
//! Callers: owner, admins. The packages also answer an invitation by this command when they take it from the list
//! of applications: then the caller is who was invited, and `Applicant_Account` who invited him.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};

use super::{accounts, check_wording, faces, may_join_more, settle, standing};
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{Event, JoinAnswered};
use crate::group::membership::{self, Act};
use crate::group::pendency::{self, Asking, PendencyType};
use crate::group::rules::Standing;
use crate::group::{self, change_group};
use crate::operation::Operation;
use crate::request;
use crate::rows::PendencyRow;

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
        /// Told to who asked; at most 300 bytes.
        approval_msg: Option<String> = "ApprovalMsg",
        /// Of the notice: names the application.
        authentication: Option<String> = "Authentication",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let own = super::operator(&caller, None)?;
    let applicant = &request.applicant;
    let entity = group::group(caller.node(), caller.app(), &request.group_id).await?;
    // Nobody but who was invited knows the number of an invitation to himself.
    let is_invited = entity.read(|state| {
        let row = state.pendencies.get(&(PendencyType::Consent, own.clone()));
        row.is_some_and(|row| {
            row.inviter == applicant.as_str()
                && request
                    .authentication
                    .as_ref()
                    .is_some_and(|name| *name == row.asked_ms.to_string())
        })
    });
    let (kind, user, inviter) = if is_invited {
        (PendencyType::Consent, &own, Some(applicant))
    } else {
        (PendencyType::Application, applicant, None)
    };
    let decision = Decision {
        group: &request.group_id,
        kind,
        user,
        inviter,
        handle_msg: &request.handle_msg,
        wording: request.approval_msg.as_deref().unwrap_or_default(),
        authentication: request.authentication.as_deref().unwrap_or_default(),
    };
    decision.carry_out(&caller).await
}

/// A decision on an application or invitation.
pub(super) struct Decision<'a> {
    pub(super) group: &'a GroupId,
    pub(super) kind: PendencyType,
    /// Who would come in.
    pub(super) user: &'a UserId,
    /// Who invited him.
    pub(super) inviter: Option<&'a UserId>,
    /// `Agree` or `Reject`.
    pub(super) handle_msg: &'a str,
    pub(super) wording: &'a str,
    /// Names what is decided on; the latest when empty.
    pub(super) authentication: &'a str,
}

impl Decision<'_> {
    pub(super) async fn carry_out(&self, caller: &Caller) -> Outcome<Empty> {
        let (node, app, id, user) = (caller.node(), caller.app(), self.group, self.user);
        let accepted = match self.handle_msg {
            "Agree" => true,
            "Reject" => false,
            other => {
                let info = format!("HandleMsg is {other}, Agree or Reject are possible");
                return Err(Error::with(ErrorCode::GroupBadParameter, info).into());
            }
        };
        check_wording("ApprovalMsg", self.wording)?;
        let settings = &app.facts().settings;
        let since = pendency::since(settings, node.now());
        let operator = super::operator(caller, None)?;
        let account = accounts(caller, std::slice::from_ref(user)).await?[0];
        let fits = may_join_more(caller, std::slice::from_ref(user)).await?[0];
        let faces = faces(caller, &operator, [user].into_iter().chain(self.inviter)).await?;
        change_group(node, app, id, |state, change| {
            let group = state.reference(app.id(), id)?;
            if self.kind != PendencyType::Consent && standing(caller, state) > Standing::Admin {
                return Err(ErrorCode::GroupPermissionDenied.into());
            }
            let row = state.open_pendency(self.kind, user, since)?.clone();
            self.check_name(&row)?;
            let tiny_id = TinyId(row.tiny_id);
            if self.kind == PendencyType::Consent && account != Some(tiny_id) {
                return Err(ErrorCode::ApplicationHandled.into());
            }
            if accepted {
                if account != Some(tiny_id) {
                    return Err(ErrorCode::GroupAccountUnknown.into());
                }
                if !fits {
                    return Err(ErrorCode::OwnGroupsFull.into());
                }
                membership::check_room(state, 1)?;
            }
            state.decide(self.kind, user, operator.as_str(), accepted, change);
            change.event(Event::JoinAnswered(JoinAnswered {
                group: group.clone(),
                kind: self.kind,
                to: self.inviter.unwrap_or(user).clone(),
                accepted,
                wording: self.wording.to_owned(),
                operator: operator.to_string(),
            }));
            if !accepted {
                return Ok(());
            }
            let inviter = row.inviter.as_str();
            if self.kind == PendencyType::Approval && settings.group_invitee_consent {
                // There is room for it: what is decided makes some.
                let kind = PendencyType::Consent;
                let asking = Asking { kind, user, tiny_id, inviter, wording: "" };
                state.ask(node, settings, &group, &asking, change);
                return Ok(());
            }
            match self.inviter {
                Some(_) => {
                    let act = Act { node, group, operator: inviter, faces: &faces };
                    state.join_as_invited(&act, (user, tiny_id), change)?;
                }
                None => {
                    let act = Act { node, group, operator: user.as_str(), faces: &faces };
                    state.join_as_asked(&act, (user, tiny_id), None, change)?;
                }
            }
            Ok(())
        })
        .await?;
        settle(caller, id).await?;
        Ok(Empty {})
    }

    /// Whether this is what was asked.
    fn check_name(&self, row: &PendencyRow) -> Result<(), Error> {
        let is_of_inviter = self.inviter.is_none_or(|inviter| inviter.as_str() == row.inviter);
        let is_named =
            self.authentication.is_empty() || self.authentication == row.asked_ms.to_string();
        if is_of_inviter && is_named { Ok(()) } else { Err(ErrorCode::ApplicationHandled.into()) }
    }
}
