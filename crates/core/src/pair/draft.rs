//! A message as a request describes it, whoever is to get it: checked once, then addressed.

use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::message::{BodyError, CallbackControl, MessageBody, SendControl};
use teahouse_proto::time::UnixSeconds;

use super::commands::sendmsg::Elements;
use super::{Ends, NewMessage, rules};
use crate::caller::Caller;
use crate::rows::MessageFlags;

/// What the commands that send have in common.
pub(crate) struct Asked {
    pub(crate) seq: Option<u32>,
    pub(crate) random: u32,
    pub(crate) client_time: Option<UnixSeconds>,
    pub(crate) body: Elements,
    pub(crate) cloud_custom_data: Option<String>,
    pub(crate) online_only: bool,
    pub(crate) life_time: Option<u32>,
    pub(crate) sync_other_machine: Option<u32>,
    pub(crate) control: Option<SendControl>,
    pub(crate) forbids: Option<CallbackControl>,
    pub(crate) is_extensible: bool,
    pub(crate) wants_receipt: bool,
    pub(crate) offline_push: Option<Box<RawValue>>,
}

/// A message that lacks nothing but its ends.
pub(crate) struct Draft {
    pub(crate) seq: u32,
    pub(crate) random: u32,
    /// The receiver's own wish not to be disturbed holds.
    pub(crate) heeds_option: bool,
    client_time: Option<UnixSeconds>,
    body: MessageBody,
    cloud_custom_data: String,
    flags: MessageFlags,
    life_s: u32,
    sync_to_sender: bool,
    unchecked: bool,
    forbids: CallbackControl,
}

impl Draft {
    /// Checks what `caller` asks for.
    ///
    /// # Errors
    /// `too_long` for a message over the app's limit; else the code of the first field that does not fit.
    pub(crate) fn of(caller: &Caller, asked: Asked, too_long: ErrorCode) -> Result<Self, Error> {
        let settings = &caller.app().facts().settings;
        let by_admin = caller.is_admin();
        let cloud_custom_data = asked.cloud_custom_data.unwrap_or_default();
        let bytes_max = settings.c2c_body_bytes_max as usize;
        let code = BodyError::c2c_code;
        let body = asked.body.parse(&cloud_custom_data, bytes_max, too_long, code)?;
        rules::offline_push(asked.offline_push.as_deref())?;
        let sync = rules::sync_other_machine(asked.sync_other_machine)?;
        let control = asked.control.unwrap_or_default();
        let flags = MessageFlags::default()
            .with(MessageFlags::NO_UNREAD, control.no_unread)
            .with(MessageFlags::NO_LAST, control.no_last_msg)
            .with(MessageFlags::WANTS_RECEIPT, asked.wants_receipt)
            .with(MessageFlags::EXTENSIBLE, asked.is_extensible)
            .with(MessageFlags::HIDDEN_FROM_SENDER, by_admin && sync == Some(2));
        let random_seq = || u32::try_from(caller.node().random() >> 32).expect("32 bits");
        Ok(Self {
            seq: asked.seq.unwrap_or_else(random_seq),
            random: asked.random,
            heeds_option: !by_admin || control.with_mute_notifications,
            client_time: asked.client_time,
            body,
            cloud_custom_data,
            flags,
            life_s: rules::life_s(asked.life_time, asked.online_only, settings),
            sync_to_sender: !by_admin || sync == Some(1),
            unchecked: control.no_msg_check,
            forbids: asked.forbids.unwrap_or_default(),
        })
    }

    /// The message from one end to the other. `face` is the sender's; `discarded` as in [`NewMessage`].
    pub(crate) fn addressed(
        &self,
        ends: Ends,
        face: (String, String),
        discarded: bool,
        origin: Option<u32>,
    ) -> NewMessage {
        NewMessage {
            ends,
            seq: self.seq,
            random: self.random,
            client_time: self.client_time,
            body: self.body.clone(),
            cloud_custom_data: self.cloud_custom_data.clone(),
            flags: self.flags,
            life_s: self.life_s,
            sync_to_sender: self.sync_to_sender,
            discarded,
            unchecked: self.unchecked,
            forbids: self.forbids,
            face,
            origin,
            asked_crc: None,
        }
    }
}
