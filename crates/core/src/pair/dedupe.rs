//! What makes two sends of one pair the same.

use super::NewMessage;
use crate::dedupe::content_crc;
use crate::rows::MessageRow;

impl NewMessage {
    pub(crate) fn content_crc(&self) -> u32 {
        content_crc(self.body.as_json(), &self.cloud_custom_data)
    }
}

/// Sender, sequence, random and content: what was sent, whatever a webhook has made of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SendKey {
    from_high: bool,
    seq: u32,
    random: u32,
    content_crc: u32,
}

impl SendKey {
    pub(crate) fn of_message(message: &NewMessage) -> Self {
        Self {
            from_high: message.ends.own_is_high(),
            seq: message.seq,
            random: message.random,
            content_crc: message.asked_crc.unwrap_or_else(|| message.content_crc()),
        }
    }

    pub(crate) fn of_row(row: &MessageRow) -> Self {
        Self {
            from_high: row.from_high,
            seq: row.seq,
            random: row.random,
            content_crc: row
                .asked_crc
                .unwrap_or_else(|| content_crc(&row.body, &row.cloud_custom_data)),
        }
    }
}
