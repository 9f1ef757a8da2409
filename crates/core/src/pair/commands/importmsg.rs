//! `openim/importmsg`: writes a message of another system into the history of both users, at its own time.
//!
//! Callers: administrators. A history import is silent. A live one, for the time in which users are in both
//! systems, is delivered and counts as unread, unless newer messages are there already: then it only takes its
//! place among them. A message with the same `MsgSeq`, `MsgRandom` and `MsgTimeStamp`, whoever of the two has
//! said it, is there already, and the answer is the same. No webhook is called.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::message::BodyError;
use teahouse_proto::time::UnixSeconds;

use super::sendmsg::Elements;
use crate::account;
use crate::account::commands::Empty;
use crate::admission;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::pair::import::{Imported, import};
use crate::request;

pub(crate) const OPERATION: Operation<Request, Empty> = Operation::new("openim/importmsg").rest();

request! {
    pub(crate) struct Request {
        /// 5 (older: 1) live, 2 history.
        sync_from_old_system: u32 = "SyncFromOldSystem" else SyncFromOldSystemInvalid,
        /// Sender.
        from_account: UserId = "From_Account" else FromAccountInvalid,
        /// Receiver.
        to_account: UserId = "To_Account" else ToAccountInvalid,
        /// Chosen by the sender; a random number when absent, and then repetitions are not recognised.
        msg_seq: Option<u32> = "MsgSeq",
        /// Chosen by the sender.
        msg_random: u32 = "MsgRandom" else MsgRandomInvalid,
        /// When it was said, unix seconds; not in the future.
        msg_time_stamp: UnixSeconds = "MsgTimeStamp" else MsgTimeStampInvalid,
        /// Elements; with `CloudCustomData` at most 12 KiB (a setting).
        msg_body: Elements = "MsgBody" else MsgBodyNotArray,
        /// Stored with the message.
        cloud_custom_data: Option<String> = "CloudCustomData",
    }
}

/// How far the clock of a backend may be ahead: what is sent next gets no earlier second than the import.
pub(crate) const AHEAD_S_MAX: u64 = 10;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let live = match request.sync_from_old_system {
        1 | 5 => true,
        2 => false,
        other => {
            let info = format!("SyncFromOldSystem is {other}, 5 or 2 are possible");
            return Err(Error::with(ErrorCode::SyncFromOldSystemInvalid, info).into());
        }
    };
    let time = request.msg_time_stamp;
    let now = caller.now().seconds();
    if time.0 == 0 || time > now.plus_seconds(AHEAD_S_MAX) {
        let info = format!("MsgTimeStamp is {time}, now is {now}");
        return Err(Error::with(ErrorCode::MsgTimeStampInvalid, info).into());
    }
    let (node, app) = (caller.node(), caller.app());
    let cloud_custom_data = request.cloud_custom_data.unwrap_or_default();
    let bytes_max = app.facts().settings.c2c_body_bytes_max as usize;
    let (too_long, code) = (ErrorCode::PacketTooLong, BodyError::c2c_code);
    let body = request.msg_body.parse(&cloud_custom_data, bytes_max, too_long, code)?;
    let ends = admission::to_user(&caller, request.from_account, request.to_account).await?;
    let random_seq = || u32::try_from(node.random() >> 32).expect("32 bits");
    let imported = Imported {
        seq: request.msg_seq.unwrap_or_else(random_seq),
        random: request.msg_random,
        time,
        body,
        cloud_custom_data,
        live,
        face: account::face(node, app, &ends.own).await?,
        ends,
    };
    import(node, app, &imported).await?;
    Ok(Empty {})
}
