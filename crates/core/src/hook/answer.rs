//! What an endpoint answers.

use serde::Deserialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{AppCode, Error, ErrorCode};

use super::post::PostError;

/// The longest answer, bytes: more than the largest rewritten message.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The fields of an answer that mean something; all others are skipped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer {
    pub(crate) error_code: i64,
    #[serde(default)]
    pub(crate) error_info: String,
    /// In place of the elements that were sent.
    #[serde(default)]
    pub(crate) msg_body: Option<Box<RawValue>>,
    /// In place of the custom data that was sent.
    #[serde(default)]
    pub(crate) cloud_custom_data: Option<String>,
    /// Who of those who are invited shall not come in.
    #[serde(default, rename = "RefusedMembers_Account")]
    pub(crate) refused_members: Vec<String>,
    /// What becomes of each target of a change of relations.
    #[serde(default)]
    pub(crate) result_item: Vec<ResultItem>,
}

/// What becomes of one target.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResultItem {
    #[serde(rename = "To_Account")]
    pub(crate) to_account: String,
    #[serde(default)]
    pub(crate) result_code: i64,
    #[serde(default)]
    pub(crate) result_info: String,
}

/// How the webhooks of an area refuse.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// Told for 1.
    standard: ErrorCode,
    /// Told as they are.
    own: std::ops::RangeInclusive<i64>,
    /// 2 drops a message silently.
    may_drop: bool,
}

/// Before a one-to-one message.
pub(crate) static OF_C2C: Refusals =
    Refusals { standard: ErrorCode::RefusedByHook, own: AppCode::C2C, may_drop: true };
/// Before a group message.
pub(crate) static OF_GROUP_MESSAGE: Refusals =
    Refusals { standard: ErrorCode::GroupRefusedByHook, own: AppCode::GROUP, may_drop: true };
/// Before other operations of groups.
pub(crate) static OF_GROUP: Refusals =
    Refusals { standard: ErrorCode::GroupRefusedByHook, own: AppCode::GROUP, may_drop: false };

/// What an endpoint has decided.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may happen, perhaps otherwise than asked.
    Pass(Answer),
    /// It is refused.
    Refuse(Error),
    /// Whoever asked is told that it happened.
    Drop,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// `Malformed`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, PostError> {
        serde_json::from_slice(body).map_err(|problem| PostError::Malformed(problem.to_string()))
    }

    /// What it decides.
    ///
    /// # Errors
    /// `Malformed`: its code is none of those that the webhook may answer with.
    pub(crate) fn verdict(self, refusals: &Refusals) -> Result<Verdict, PostError> {
        match self.error_code {
            0 => Ok(Verdict::Pass(self)),
            1 => Ok(Verdict::Refuse(Error::new(refusals.standard))),
            2 if refusals.may_drop => Ok(Verdict::Drop),
            code => match AppCode::within(&refusals.own, code) {
                Some(own) => {
                    let told = Error::with(refusals.standard, self.error_info);
                    Ok(Verdict::Refuse(told.with_app_code(own)))
                }
                None => Err(PostError::Malformed(format!("ErrorCode {code} means nothing here"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(body: &str, refusals: &Refusals) -> String {
        match Answer::parse(body.as_bytes()).and_then(|answer| answer.verdict(refusals)) {
            Ok(Verdict::Pass(answer)) => match (answer.msg_body, answer.cloud_custom_data) {
                (None, None) => "pass".to_owned(),
                (body, data) => {
                    format!(
                        "rewrite {} {data:?}",
                        body.map_or("-".to_owned(), |body| body.get().to_owned())
                    )
                }
            },
            Ok(Verdict::Refuse(error)) => format!("{} {}", error.number(), error.info),
            Ok(Verdict::Drop) => "drop".to_owned(),
            Err(problem) => problem.name().to_owned(),
        }
    }

    #[test]
    fn codes_pass_refuse_drop_or_mean_nothing() {
        for (code, c2c, group_message, group) in [
            (0, "pass", "pass", "pass"),
            (1, "20006", "10016", "10016"),
            (2, "drop", "drop", "malformed"),
            (3, "malformed", "malformed", "malformed"),
            (-1, "malformed", "malformed", "malformed"),
            (10_099, "malformed", "malformed", "malformed"),
            (10_100, "malformed", "10100 no", "10100 no"),
            (10_200, "malformed", "10200 no", "10200 no"),
            (10_201, "malformed", "malformed", "malformed"),
            (120_000, "malformed", "malformed", "malformed"),
            (120_001, "120001 no", "malformed", "malformed"),
            (130_000, "130000 no", "malformed", "malformed"),
            (130_001, "malformed", "malformed", "malformed"),
        ] {
            let body =
                format!(r#"{{"ActionStatus":"OK","ErrorCode":{code},"ErrorInfo":"no","New":[]}}"#);
            for (refusals, expected) in
                [(&OF_C2C, c2c), (&OF_GROUP_MESSAGE, group_message), (&OF_GROUP, group)]
            {
                let told = verdict(&body, refusals);
                assert!(told.starts_with(expected), "{code}: {told}, not {expected}");
            }
        }
    }

    #[test]
    fn a_rewrite_is_kept_to_the_letter() {
        let body = r#"{"ErrorCode":0,"MsgBody":[{"MsgType":"T","MsgContent":{"b":1,"a":2}}],"CloudCustomData":""}"#;
        let expected = r#"rewrite [{"MsgType":"T","MsgContent":{"b":1,"a":2}}] Some("")"#;
        assert_eq!(verdict(body, &OF_C2C), expected);
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        for body in ["", "OK", "[]", "{}", r#"{"ErrorCode":"0"}"#, "<html>"] {
            assert_eq!(verdict(body, &OF_C2C), "malformed", "{body}");
        }
    }
}
