//! The envelope around every answer: `ActionStatus`, `ErrorCode`, `ErrorInfo`, and the answer's fields.

use crate::error::Error;
use crate::frame::write_json;

/// Wraps the fields of a successful answer.
///
/// `inner` is the JSON object that the operation answers with; its fields are spliced in, not parsed.
/// `null`, what `()` serialises to, counts as no fields. An answer that begins with `ActionStatus` has a
/// status of its own: a part of what was asked failed. `error_display` adds the empty `ErrorDisplay` that
/// the profile, relation, conversation and follow families send.
///
/// # Panics
/// When `inner` is neither an object nor `null`: operations answer with structs.
#[must_use]
pub fn envelope(inner: &str, error_display: bool) -> String {
    let mut answer = String::with_capacity(inner.len() + 80);
    answer.push('{');
    if !inner.starts_with(OWN_STATUS) {
        answer.push_str(r#""ActionStatus":"OK","#);
    }
    answer.push_str(r#""ErrorCode":0,"ErrorInfo":"""#);
    if error_display {
        answer.push_str(r#","ErrorDisplay":"""#);
    }
    push_fields(&mut answer, inner);
    answer.push('}');
    answer
}

const OWN_STATUS: &str = r#"{"ActionStatus":"#;

/// Wraps a refusal, with the fields of [`Error::extra`].
#[must_use]
pub fn error_envelope(error: &Error, error_display: bool) -> String {
    let mut info = Vec::with_capacity(error.info.len() + 2);
    write_json(&mut info, &*error.info);
    let info = String::from_utf8(info).expect("JSON is UTF-8");
    let code = error.number();
    let mut answer = format!(r#"{{"ActionStatus":"FAIL","ErrorCode":{code},"ErrorInfo":{info}"#);
    if error_display {
        answer.push_str(r#","ErrorDisplay":"""#);
    }
    if let Some(extra) = &error.extra {
        push_fields(&mut answer, extra.get());
    }
    answer.push('}');
    answer
}

/// Appends the fields of the JSON object `object`, with a comma in front if there are any.
fn push_fields(answer: &mut String, object: &str) {
    let object = object.trim();
    if object == "null" {
        return;
    }
    let fields = object
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .expect("an answer serialises to a JSON object");
    if !fields.trim().is_empty() {
        answer.push(',');
        answer.push_str(fields);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn fields_follow_the_status() {
        assert_eq!(
            envelope(r#"{"MsgTime":1,"MsgKey":"1_2_3"}"#, false),
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","MsgTime":1,"MsgKey":"1_2_3"}"#
        );
        let bare = r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}"#;
        for inner in ["{}", "null", " { } "] {
            assert_eq!(envelope(inner, false), bare);
        }
        assert_eq!(
            envelope(r#"{"a":{}}"#, true),
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","ErrorDisplay":"","a":{}}"#
        );
    }

    #[test]
    fn an_answer_may_have_a_status_of_its_own() {
        assert_eq!(
            envelope(r#"{"ActionStatus":"SomeError","MsgKey":"1_2_3"}"#, false),
            r#"{"ErrorCode":0,"ErrorInfo":"","ActionStatus":"SomeError","MsgKey":"1_2_3"}"#
        );
    }

    #[test]
    fn refusals_carry_code_sentence_and_extra_fields() {
        assert_eq!(
            error_envelope(&Error::with(ErrorCode::NotAdmin, "say \"please\""), false),
            r#"{"ActionStatus":"FAIL","ErrorCode":60010,"ErrorInfo":"say \"please\""}"#
        );
        let extra = RawValue::from_string(r#"{"MsgVersion":3}"#.into()).unwrap();
        assert_eq!(
            error_envelope(&Error::with(ErrorCode::ModifyConflict, "x").with_extra(extra), true),
            r#"{"ActionStatus":"FAIL","ErrorCode":20027,"ErrorInfo":"x","ErrorDisplay":"","MsgVersion":3}"#
        );
    }

    #[test]
    #[should_panic(expected = "JSON object")]
    fn an_answer_that_is_no_object_is_a_bug() {
        let _ = envelope("[1]", false);
    }
}
