//! `im_msg_db_logic/ws_set_do_not_disturb`: how the caller wants to be notified of messages at all, once or
//! every day between two times. The caller's other devices are told.
//!
//! Callers: users. It is about notifications: a device that is connected gets its messages all the same.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::push::DoNotDisturb;
use teahouse_proto::time::UnixSeconds;

use super::receive_option;
use crate::account;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{DoNotDisturbChanged, Event};
use crate::operation::Operation;
use crate::request;
use crate::rows::DoNotDisturbRow;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("im_msg_db_logic/ws_set_do_not_disturb").gateway();

request! {
    pub(crate) struct Request {
        /// 0 notify, 1 discard, 2 do not notify.
        level: u32 = "Level",
        /// When it begins, unix seconds; with `EndTime` 0: always.
        start_time: Option<UnixSeconds> = "StartTime",
        /// When it ends, unix seconds, not before it begins.
        end_time: Option<UnixSeconds> = "EndTime",
        /// 1: every day at these hours.
        is_repeated: Option<u32> = "IsRepeated",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let user = caller.acting_as(None, ErrorCode::RequestIllegal)?;
    let setting = DoNotDisturb {
        level: receive_option("Level", request.level)?.number(),
        start_time: request.start_time.unwrap_or_default(),
        end_time: request.end_time.unwrap_or_default(),
        is_repeated: request.is_repeated == Some(1),
    };
    if setting.end_time < setting.start_time {
        let info = "EndTime is before StartTime";
        return Err(Error::with(ErrorCode::RequestIllegal, info).into());
    }
    let (node, app, origin) = (caller.node(), caller.app(), caller.origin());
    account::change_user(node, app, &user, |state, change| {
        let exists = state.change_account(change, |account| {
            account.do_not_disturb = Some(DoNotDisturbRow {
                level: setting.level,
                start_time: setting.start_time.0,
                end_time: setting.end_time.0,
                is_repeated: setting.is_repeated,
            });
        });
        if exists {
            let (app, user) = (app.id(), user.clone());
            let changed = DoNotDisturbChanged { app, user, setting, origin };
            change.event(Event::DoNotDisturbChanged(changed));
        }
        Ok(())
    })
    .await?;
    Ok(Empty {})
}
