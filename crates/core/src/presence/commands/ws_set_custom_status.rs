//! `im_open_status/ws_set_custom_status`: what a user says about himself, on whichever device he is.
//!
//! Callers: users. All his devices are told, the one that says it included: that is when clients show it.

use teahouse_proto::error::{Error, ErrorCode};

use crate::account;
use crate::account::commands::Empty;
use crate::caller::{Caller, Who};
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_open_status/ws_set_custom_status").gateway();

request! {
    pub(crate) struct Request {
        /// At most 100 bytes; empty takes it away.
        custom_status: String = "CustomStatus",
    }
}

const CUSTOM_STATUS_BYTES_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let Who::User(identity) = caller.who() else { return Err(ErrorCode::SessionInvalid.into()) };
    let text = request.custom_status;
    if text.len() > CUSTOM_STATUS_BYTES_MAX {
        let info =
            format!("CustomStatus is {} bytes, at most {CUSTOM_STATUS_BYTES_MAX}", text.len());
        return Err(Error::with(ErrorCode::RequestIllegal, info).into());
    }
    account::change_user(caller.node(), caller.app(), &identity.user, |state, change| {
        state.set_custom_status(caller.app().id(), &identity.user, &text, change)
    })
    .await?;
    Ok(Empty {})
}
