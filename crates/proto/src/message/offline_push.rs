//! How a message is shown by the push services while its receiver is away.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::compact::compact;
use crate::error::ErrorCode;
use crate::fields::{Object, Text, optional_object};
use crate::problem::describe;

/// Deepest nesting of an `OfflinePushInfo`: it has two levels, vendors may add a few.
const DEPTH_MAX: usize = 8;

/// `OfflinePushInfo` as the sender gave it: validated, kept as compact JSON with unknown keys.
///
/// Cloning is a reference count. Serialises as the object.
#[derive(Clone)]
pub struct OfflinePushInfo(Arc<RawValue>);

/// Why an `OfflinePushInfo` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfflinePushError {
    /// Longer, as compact text, than the limit.
    #[error("OfflinePushInfo is {bytes} bytes, at most {max}")]
    TooLong {
        /// Length of the compact text in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not an object, nested too deep, or a field has the wrong type.
    #[error("OfflinePushInfo is malformed: {0}")]
    Malformed(String),
}

impl From<&OfflinePushError> for ErrorCode {
    fn from(error: &OfflinePushError) -> Self {
        match error {
            OfflinePushError::TooLong { .. } | OfflinePushError::Malformed(_) => {
                Self::OfflinePushInfoInvalid
            }
        }
    }
}

/// The documented fields of an [`OfflinePushInfo`]. Absent and null are the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OfflinePush<'a> {
    /// 1: no offline push.
    pub push_flag: Option<i64>,
    /// Title on all platforms.
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    /// Text shown; overrides the texts of the elements.
    #[serde(borrow)]
    pub desc: Option<Text<'a>>,
    /// Handed through to the application.
    #[serde(borrow)]
    pub ext: Option<Text<'a>>,
    /// For Android.
    #[serde(borrow, default, deserialize_with = "optional_object")]
    pub android_info: Option<AndroidPush<'a>>,
    /// For Apple devices.
    #[serde(borrow, default, deserialize_with = "optional_object")]
    pub apns_info: Option<ApnsPush<'a>>,
}

/// `AndroidInfo`: one set of fields for each vendor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AndroidPush<'a> {
    /// Path or name of a sound.
    #[serde(borrow, rename = "Sound")]
    pub sound: Option<Text<'a>>,
    /// Notification channel, Huawei.
    #[serde(borrow, rename = "HuaWeiChannelID")]
    pub huawei_channel_id: Option<Text<'a>>,
    /// Notification channel, Xiaomi.
    #[serde(borrow, rename = "XiaoMiChannelID")]
    pub xiaomi_channel_id: Option<Text<'a>>,
    /// Notification channel, OPPO.
    #[serde(borrow, rename = "OPPOChannelID")]
    pub oppo_channel_id: Option<Text<'a>>,
    /// Notification channel, Google.
    #[serde(borrow, rename = "GoogleChannelID")]
    pub google_channel_id: Option<Text<'a>>,
    /// 0 operational, 1 system message, vivo.
    #[serde(rename = "VIVOClassification")]
    pub vivo_classification: Option<i64>,
    /// Category, vivo.
    #[serde(borrow, rename = "VIVOCategory")]
    pub vivo_category: Option<Text<'a>>,
    /// `LOW` or `NORMAL`, Huawei.
    #[serde(borrow, rename = "HuaWeiImportance")]
    pub huawei_importance: Option<Text<'a>>,
    /// Category, Huawei.
    #[serde(borrow, rename = "HuaWeiCategory")]
    pub huawei_category: Option<Text<'a>>,
    /// 1: `Ext` is a parameter of the intent, else of the action.
    #[serde(rename = "ExtAsHuaweiIntentParam")]
    pub ext_as_huawei_intent_param: Option<i64>,
}

/// `ApnsInfo`: for the push service of Apple.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApnsPush<'a> {
    /// Sound file.
    #[serde(borrow)]
    pub sound: Option<Text<'a>>,
    /// 1: does not raise the number on the icon.
    pub badge_mode: Option<i64>,
    /// Overrides the outer title.
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    /// Second line of the title.
    #[serde(borrow)]
    pub sub_title: Option<Text<'a>>,
    /// Address of an image.
    #[serde(borrow)]
    pub image: Option<Text<'a>>,
    /// 1: the application's notification extension may change it.
    pub mutable_content: Option<i64>,
}

impl OfflinePushInfo {
    /// Validates what a sender gave. `bytes_max` bounds the compact text.
    ///
    /// # Errors
    /// [`OfflinePushError`] when it is too long, no object, or a documented field has the wrong type.
    pub fn parse(json: &RawValue, bytes_max: usize) -> Result<Self, OfflinePushError> {
        let compact = compact(json.get());
        if compact.text.len() > bytes_max {
            return Err(OfflinePushError::TooLong { bytes: compact.text.len(), max: bytes_max });
        }
        if compact.depth > DEPTH_MAX {
            return Err(OfflinePushError::Malformed("it nests too deep".into()));
        }
        serde_json::from_str::<Object<OfflinePush<'_>>>(&compact.text).map_err(malformed)?;
        Self::from_stored(compact.text.into_owned())
    }

    /// Takes what was validated before. Only the JSON syntax is checked.
    ///
    /// # Errors
    /// [`OfflinePushError::Malformed`] when it is not JSON.
    pub fn from_stored(json: String) -> Result<Self, OfflinePushError> {
        RawValue::from_string(json).map(|json| Self(Arc::from(json))).map_err(malformed)
    }

    /// The object as compact JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Length of the compact text in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.as_json().len()
    }

    /// The documented fields, borrowed.
    ///
    /// # Errors
    /// [`OfflinePushError::Malformed`] when a stored object was not validated before.
    pub fn fields(&self) -> Result<OfflinePush<'_>, OfflinePushError> {
        serde_json::from_str(self.as_json()).map(|Object(fields)| fields).map_err(malformed)
    }
}

fn malformed(error: serde_json::Error) -> OfflinePushError {
    OfflinePushError::Malformed(describe(&error))
}

impl Serialize for OfflinePushInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for OfflinePushInfo {
    fn schema_name() -> Cow<'static, str> {
        "OfflinePushInfo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "PushFlag": { "type": "integer" },
                "Title": { "type": "string" },
                "Desc": { "type": "string" },
                "Ext": { "type": "string" },
                "AndroidInfo": { "type": "object" },
                "ApnsInfo": { "type": "object" },
            },
        })
    }
}

impl PartialEq for OfflinePushInfo {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for OfflinePushInfo {}

impl fmt::Debug for OfflinePushInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<OfflinePushInfo, OfflinePushError> {
        OfflinePushInfo::parse(serde_json::from_str(json).unwrap(), 1000)
    }

    /// What the Web SDK sends with every message.
    const WEB: &str = r#"{"PushFlag":0,"Title":"","Desc":"","Ext":"","ApnsInfo":{"Sound":"","BadgeMode":0,"Image":"","InterruptionLevel":"active","ContentAvailable":0},"AndroidInfo":{"Sound":"","XiaoMiChannelID":"","OPPOChannelID":"","GoogleChannelID":"","VIVOClassification":1,"VIVOCategory":"","HuaWeiCategory":"","OPPOCategory":"","HuaWeiImage":"","HonorImage":"","GoogleImage":"","HonorImportance":""}}"#;

    #[test]
    fn documented_and_unknown_fields_are_kept() {
        let info = parse(WEB).unwrap();
        assert_eq!(info.as_json(), WEB);
        let fields = info.fields().unwrap();
        assert_eq!(fields.push_flag, Some(0));
        assert_eq!(fields.android_info.unwrap().vivo_classification, Some(1));
        assert_eq!(fields.apns_info.unwrap().badge_mode, Some(0));
        let spaced =
            parse(r#"{ "Desc" : "a b" , "Vendor" : { "x" : [ 1 ] } , "Ext" : null }"#).unwrap();
        assert_eq!(spaced.as_json(), r#"{"Desc":"a b","Vendor":{"x":[1]},"Ext":null}"#);
        assert_eq!(spaced.fields().unwrap().desc.unwrap().0, "a b");
        assert_eq!(serde_json::to_string(&spaced).unwrap(), spaced.as_json());
    }

    #[test]
    fn wrong_types_are_refused() {
        for json in [
            "[]",
            "null",
            r#""text""#,
            r#"{"PushFlag":"0"}"#,
            r#"{"PushFlag":0.5}"#,
            r#"{"Title":1}"#,
            r#"{"Desc":{}}"#,
            r#"{"Ext":[]}"#,
            r#"{"AndroidInfo":"x"}"#,
            r#"{"AndroidInfo":{"Sound":1}}"#,
            r#"{"AndroidInfo":{"HuaWeiChannelID":1}}"#,
            r#"{"AndroidInfo":{"XiaoMiChannelID":1}}"#,
            r#"{"AndroidInfo":{"OPPOChannelID":1}}"#,
            r#"{"AndroidInfo":{"GoogleChannelID":1}}"#,
            r#"{"AndroidInfo":{"VIVOClassification":"1"}}"#,
            r#"{"AndroidInfo":{"HuaWeiImportance":1}}"#,
            r#"{"AndroidInfo":{"ExtAsHuaweiIntentParam":"1"}}"#,
            r#"{"ApnsInfo":[]}"#,
            r#"{"ApnsInfo":["s",0,"t","u","i",1]}"#,
            r#"{"ApnsInfo":{"BadgeMode":"1"}}"#,
            r#"{"ApnsInfo":{"Title":1}}"#,
            r#"{"ApnsInfo":{"SubTitle":1}}"#,
            r#"{"ApnsInfo":{"Image":1}}"#,
            r#"{"ApnsInfo":{"MutableContent":true}}"#,
            r#"{"x":[[[[[[[[1]]]]]]]]}"#,
        ] {
            let error = parse(json).unwrap_err();
            assert!(matches!(error, OfflinePushError::Malformed(_)), "{json}");
            assert_eq!(ErrorCode::from(&error).number(), 90043);
        }
    }

    #[test]
    fn length_counts_without_whitespace() {
        let object = |bytes: usize| format!(r#"{{"Desc":"{}"}}"#, "d".repeat(bytes - 11));
        assert!(parse(&object(1000)).is_ok());
        assert!(parse(&object(1000).replace(':', " : ")).is_ok());
        assert_eq!(parse(&object(1001)), Err(OfflinePushError::TooLong { bytes: 1001, max: 1000 }));
    }
}
