//! Profiles: values under tags. Standard tags have a type and limits; custom ones are declared by the
//! app's setting `profile.custom_fields`.

pub(crate) mod commands;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{SdkAppId, TinyId, UserId};

use crate::account;
use crate::error::Outcome;
use crate::node::Node;
use crate::push;
use crate::relation;
use crate::relation::rules::Consent;
use crate::rows::{ProfileKind, ProfileRow, ProfileValueRow, TellFriendsJob, Tie};
use crate::settings::{AppSettings, FieldNames};

/// A value: text of at most 500 bytes, or an unsigned number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProfileValue {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
}

/// A tag and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProfileItem {
    /// `Tag_Profile_IM_…` or `Tag_Profile_Custom_…`.
    #[serde(rename = "Tag")]
    pub tag: String,
    /// Its value.
    #[serde(rename = "Value")]
    pub value: ProfileValue,
}

/// Nickname.
pub(crate) const NICK: &str = "Tag_Profile_IM_Nick";
/// Avatar URL.
pub(crate) const IMAGE: &str = "Tag_Profile_IM_Image";
/// What the user says of himself.
pub(crate) const SELF_SIGNATURE: &str = "Tag_Profile_IM_SelfSignature";
const CUSTOM: &str = "Tag_Profile_Custom_";
const VALUE_BYTES_MAX: usize = 500;

/// What a tag may hold.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text { bytes_max: usize },
    Number { max: u64 },
    OneOf(&'static [&'static str]),
}

const U32: Kind = Kind::Number { max: u32::MAX as u64 };
const TEXT: Kind = Kind::Text { bytes_max: VALUE_BYTES_MAX };

/// The standard tags.
const TAGS: &[(&str, Kind)] = &[
    (NICK, TEXT),
    (
        "Tag_Profile_IM_Gender",
        Kind::OneOf(&["Gender_Type_Unknown", "Gender_Type_Female", "Gender_Type_Male"]),
    ),
    ("Tag_Profile_IM_BirthDay", U32),
    ("Tag_Profile_IM_Location", Kind::Text { bytes_max: 16 }),
    (SELF_SIGNATURE, TEXT),
    (
        CONSENT,
        Kind::OneOf(&[
            "AllowType_Type_NeedConfirm",
            "AllowType_Type_AllowAny",
            "AllowType_Type_DenyAny",
        ]),
    ),
    ("Tag_Profile_IM_Language", U32),
    (IMAGE, TEXT),
    ("Tag_Profile_IM_MsgSettings", U32),
    (FORBIDDEN, Kind::OneOf(&["AdminForbid_Type_None", "AdminForbid_Type_SendOut"])),
    ("Tag_Profile_IM_Level", U32),
    ("Tag_Profile_IM_Role", U32),
];

const CONSENT: &str = "Tag_Profile_IM_AllowType";
const FORBIDDEN: &str = "Tag_Profile_IM_AdminForbidType";

/// Whether a user's own client must not change `tag`.
fn is_admin_only(tag: &str, settings: &AppSettings) -> bool {
    tag == FORBIDDEN || is_named(tag, &settings.profile_custom_fields_admin_only)
}

/// Whether clients may read `tag`.
pub(crate) fn is_readable(tag: &str, settings: &AppSettings) -> bool {
    !is_named(tag, &settings.profile_custom_fields_hidden)
}

fn is_named(tag: &str, fields: &FieldNames) -> bool {
    tag.strip_prefix(CUSTOM).is_some_and(|keyword| fields.0.iter().any(|name| name == keyword))
}

/// Whether `tag` exists in this app.
pub(crate) fn is_known(tag: &str, settings: &AppSettings) -> bool {
    kind(tag, settings).is_some()
}

fn kind(tag: &str, settings: &AppSettings) -> Option<Kind> {
    if tag.starts_with(CUSTOM) {
        return is_named(tag, &settings.profile_custom_fields).then_some(TEXT);
    }
    TAGS.iter().find(|(name, _)| *name == tag).map(|(_, kind)| *kind)
}

/// Checks one value that somebody wants to set.
pub(crate) fn check(
    tag: &str,
    value: &ProfileValue,
    settings: &AppSettings,
    by_admin: bool,
) -> Result<(), Error> {
    let refuse = |code, info: String| Err(Error::with(code, info));
    let Some(kind) = kind(tag, settings) else {
        return refuse(ErrorCode::ProfileTagUnknown, format!("{tag} is not a profile field here"));
    };
    if !by_admin && is_admin_only(tag, settings) {
        return refuse(
            ErrorCode::ProfileFieldNotWritable,
            format!("{tag} is set by administrators only"),
        );
    }
    match (kind, value) {
        (Kind::Text { bytes_max }, ProfileValue::Text(text)) if text.len() > bytes_max => {
            let too_long = text.len() > VALUE_BYTES_MAX;
            let code = if too_long {
                ErrorCode::ProfileValueTooLong
            } else {
                ErrorCode::ProfileValueInvalid
            };
            refuse(code, format!("{tag} is {} bytes, at most {bytes_max}", text.len()))
        }
        (Kind::Number { max }, ProfileValue::Number(number)) if *number > max => {
            refuse(ErrorCode::ProfileValueType, format!("{tag} is {number}, at most {max}"))
        }
        (Kind::OneOf(values), ProfileValue::Text(text)) if !values.contains(&text.as_str()) => {
            refuse(ErrorCode::ProfileValueInvalid, format!("{tag} is one of {}", values.join(", ")))
        }
        (Kind::Text { .. } | Kind::OneOf(_), ProfileValue::Text(_))
        | (Kind::Number { .. }, ProfileValue::Number(_)) => Ok(()),
        (Kind::Text { .. } | Kind::OneOf(_), ProfileValue::Number(_)) => {
            refuse(ErrorCode::ProfileValueType, format!("{tag} takes a string"))
        }
        (Kind::Number { .. }, ProfileValue::Text(_)) => {
            refuse(ErrorCode::ProfileValueType, format!("{tag} takes a number"))
        }
    }
}

/// What happens when somebody wants this user as a friend.
pub(crate) fn consent(profile: &BTreeMap<String, ProfileValue>) -> Consent {
    match text(profile, CONSENT) {
        "AllowType_Type_NeedConfirm" => Consent::Ask,
        "AllowType_Type_DenyAny" => Consent::Nobody,
        _ => Consent::Anyone,
    }
}

/// Whether a backend has forbidden this user to ask others for friendship.
pub(crate) fn may_not_ask(profile: &BTreeMap<String, ProfileValue>) -> bool {
    text(profile, FORBIDDEN) == "AdminForbid_Type_SendOut"
}

/// The values that are set.
pub(crate) fn items(profile: &BTreeMap<String, ProfileValue>) -> Vec<ProfileItem> {
    let item = |(tag, value): (&String, &ProfileValue)| ProfileItem {
        tag: tag.clone(),
        value: value.clone(),
    };
    profile.iter().map(item).collect()
}

/// Friends' rows that are read at a time.
const FRIENDS_A_PAGE: usize = 1_000;

/// Tells everybody who has `user` as a friend, and is connected, the present values of what has changed. Jobs of
/// one user are carried out in their order, so the last thing told is what holds.
pub(crate) async fn tell_friends(
    node: &Arc<Node>,
    app: SdkAppId,
    user: &UserId,
    job: &TellFriendsJob,
) -> Outcome<()> {
    let Some(app) = node.app(app) else { return Ok(()) };
    let values = account::user(node, &app, user).await?.read(|state| {
        (state.tiny_id() == Some(TinyId(job.tiny_id))).then(|| items(&state.profile))
    });
    let Some(mut values) = values else { return Ok(()) };
    let settings = &app.facts().settings;
    values.retain(|item| job.tags.contains(&item.tag) && is_readable(&item.tag, settings));
    if values.is_empty() {
        return Ok(());
    }
    let frame = push::profile_frame(user, &values);
    let mut after = None;
    loop {
        let page =
            relation::page(node, &app, user, Tie::FriendOf, after.as_ref(), FRIENDS_A_PAGE).await?;
        for (friend, _) in &page {
            node.hub().push(app.id(), friend, None, || (frame.clone(), None));
        }
        if page.len() < FRIENDS_A_PAGE {
            return Ok(());
        }
        after = page.into_iter().next_back().map(|(friend, _)| friend);
    }
}

/// The text under `tag`, or nothing.
pub(crate) fn text<'a>(profile: &'a BTreeMap<String, ProfileValue>, tag: &str) -> &'a str {
    match profile.get(tag) {
        Some(ProfileValue::Text(text)) => text,
        Some(ProfileValue::Number(_)) | None => "",
    }
}

/// Nickname and avatar.
pub(crate) type Face = (String, String);

pub(crate) fn face(profile: &BTreeMap<String, ProfileValue>) -> Face {
    (text(profile, NICK).to_owned(), text(profile, IMAGE).to_owned())
}

pub(crate) fn from_row(row: ProfileRow) -> BTreeMap<String, ProfileValue> {
    let value = |row: ProfileValueRow| match row.kind? {
        ProfileKind::Text(text) => Some(ProfileValue::Text(text)),
        ProfileKind::Number(number) => Some(ProfileValue::Number(number)),
    };
    row.items.into_iter().filter_map(|(tag, row)| Some((tag, value(row)?))).collect()
}

pub(crate) fn to_row(profile: &BTreeMap<String, ProfileValue>) -> ProfileRow {
    let row = |value: &ProfileValue| ProfileValueRow {
        kind: Some(match value {
            ProfileValue::Text(text) => ProfileKind::Text(text.clone()),
            ProfileValue::Number(number) => ProfileKind::Number(*number),
        }),
    };
    ProfileRow { items: profile.iter().map(|(tag, value)| (tag.clone(), row(value))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(tag: &str, value: ProfileValue) -> Option<i32> {
        let mut settings = AppSettings::default();
        for (name, value) in
            [("profile.custom_fields", "Color,Rank"), ("profile.custom_fields_admin_only", "Rank")]
        {
            settings.set(name, value).expect("valid");
        }
        check(tag, &value, &settings, false).err().map(|error| error.code.number())
    }

    fn text_of(bytes: usize) -> ProfileValue {
        ProfileValue::Text("x".repeat(bytes))
    }

    #[test]
    fn limits_at_and_above() {
        assert_eq!(checked(NICK, text_of(500)), None);
        assert_eq!(checked(NICK, text_of(501)), Some(40601));
        assert_eq!(checked("Tag_Profile_IM_Location", text_of(16)), None);
        assert_eq!(checked("Tag_Profile_IM_Location", text_of(17)), Some(40605));
        assert_eq!(checked("Tag_Profile_IM_Location", text_of(501)), Some(40601));
        assert_eq!(
            checked("Tag_Profile_IM_Level", ProfileValue::Number(u64::from(u32::MAX))),
            None
        );
        assert_eq!(checked("Tag_Profile_IM_Level", ProfileValue::Number(1 << 32)), Some(40610));
        assert_eq!(checked("Tag_Profile_Custom_Color", text_of(500)), None);
        assert_eq!(checked("Tag_Profile_Custom_Color", text_of(501)), Some(40601));
    }

    #[test]
    fn types_values_and_permissions() {
        assert_eq!(checked(NICK, ProfileValue::Number(1)), Some(40610));
        assert_eq!(checked("Tag_Profile_IM_Level", text_of(1)), Some(40610));
        assert_eq!(checked("Tag_Profile_IM_Gender", text_of(1)), Some(40605));
        let male = ProfileValue::Text("Gender_Type_Male".into());
        assert_eq!(checked("Tag_Profile_IM_Gender", male), None);
        assert_eq!(checked("Tag_Profile_Custom_Other", text_of(1)), Some(40009));
        assert_eq!(checked("Tag_Profile_IM_Unheard", text_of(1)), Some(40009));
        let forbid = ProfileValue::Text("AdminForbid_Type_SendOut".into());
        assert_eq!(checked("Tag_Profile_IM_AdminForbidType", forbid), Some(40008));
        assert_eq!(checked("Tag_Profile_Custom_Rank", text_of(1)), Some(40008));
    }
}
