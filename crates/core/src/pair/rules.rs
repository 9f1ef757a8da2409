//! What a one-to-one message must be, whoever sends it: pure checks on what the request says.

use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::message::{BodyError, MessageBody, OfflinePushInfo};

use crate::settings::AppSettings;

/// The largest `OfflinePushInfo`, bytes.
const OFFLINE_PUSH_BYTES_MAX: usize = 12_288;

/// The elements and the custom data, within a size limit.
///
/// # Errors
/// What `code` makes of the first element that is not valid, or `too_long`.
pub(crate) fn body(
    elements: &RawValue,
    cloud_custom_data: &str,
    max: usize,
    too_long: ErrorCode,
    code: impl Fn(&BodyError) -> ErrorCode,
) -> Result<MessageBody, Error> {
    let refuse_size = |bytes: usize| {
        Error::with(too_long, format!("the message is {bytes} bytes, at most {max}"))
    };
    let left = max.checked_sub(cloud_custom_data.len());
    let left = left.ok_or_else(|| refuse_size(cloud_custom_data.len()))?;
    MessageBody::parse(elements, left).map_err(|problem| {
        if let BodyError::TooLong { bytes, .. } = problem {
            return refuse_size(bytes + cloud_custom_data.len());
        }
        Error::with(code(&problem), problem.to_string())
    })
}

/// Checks the push options. What they say matters to offline push.
///
/// # Errors
/// `OfflinePushInfoInvalid`.
pub(crate) fn offline_push(info: Option<&RawValue>) -> Result<(), Error> {
    match info.map(|info| OfflinePushInfo::parse(info, OFFLINE_PUSH_BYTES_MAX)) {
        Some(Err(problem)) => {
            Err(Error::with(ErrorCode::OfflinePushInfoInvalid, problem.to_string()))
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Checks `SyncOtherMachine`: 1 delivers to the sender's devices too, 2 keeps the message out of the sender's
/// history.
///
/// # Errors
/// `SyncOtherMachineInvalid`.
pub(crate) fn sync_other_machine(asked: Option<u32>) -> Result<Option<u32>, Error> {
    match asked {
        None | Some(1 | 2) => Ok(asked),
        Some(other) => {
            let info = format!("SyncOtherMachine is {other}, 1 or 2 are possible");
            Err(Error::with(ErrorCode::SyncOtherMachineInvalid, info))
        }
    }
}

/// How long a message is an offline message, seconds; 0: for connected devices only.
pub(crate) fn life_s(asked: Option<u32>, online_only: bool, settings: &AppSettings) -> u32 {
    if online_only {
        return 0;
    }
    asked.unwrap_or(u32::MAX).min(settings.c2c_offline_s_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_times() {
        let settings = AppSettings::default();
        for (asked, online_only, expected) in [
            (None, false, 604_800),
            (Some(0), false, 0),
            (Some(60), false, 60),
            (Some(604_800), false, 604_800),
            (Some(604_801), false, 604_800),
            (Some(60), true, 0),
        ] {
            assert_eq!(life_s(asked, online_only, &settings), expected, "{asked:?} {online_only}");
        }
    }

    #[test]
    fn a_sender_is_synced_in_one_of_two_ways_or_not_named() {
        for good in [None, Some(1), Some(2)] {
            assert_eq!(sync_other_machine(good).expect("possible"), good);
        }
        for bad in [0, 3, u32::MAX] {
            let error = sync_other_machine(Some(bad)).expect_err("not possible");
            assert_eq!(error.code, ErrorCode::SyncOtherMachineInvalid);
        }
    }

    #[test]
    fn custom_data_counts_towards_the_size() {
        let elements = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]"#;
        let raw = RawValue::from_string(elements.to_owned()).expect("JSON");
        let fits = "x".repeat(100 - elements.len());
        let code = ErrorCode::PacketTooLong;
        let body = |custom: &str| body(&raw, custom, 100, code, BodyError::c2c_code);
        assert!(body(&fits).is_ok());
        for over in [fits + "x", "x".repeat(101)] {
            let error = body(&over).expect_err("too long");
            assert_eq!(error.code, code);
            assert!(error.info.contains("101") || error.info.contains("10"), "{}", error.info);
        }
    }
}
