//! What a friend's row is called on the wire: tags and values, and what may be put under them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use teahouse_proto::error::ErrorCode;
use teahouse_proto::time::UnixSeconds;

use crate::relation::rules::Refusal;
use crate::rows::{RelationsRow, TieRow};
use crate::settings::AppSettings;

pub(crate) const GROUP: &str = "Tag_SNS_IM_Group";
pub(crate) const REMARK: &str = "Tag_SNS_IM_Remark";
const REMARK_TIME: &str = "Tag_SNS_IM_RemarkTime";
const SOURCE: &str = "Tag_SNS_IM_AddSource";
const WORDING: &str = "Tag_SNS_IM_AddWording";
const TIME: &str = "Tag_SNS_IM_AddTime";
/// Begins the tag of a custom field.
pub(crate) const CUSTOM: &str = "Tag_SNS_Custom_";

const REMARK_BYTES_MAX: usize = 96;
const WORDING_BYTES_MAX: usize = 256;
const CUSTOM_BYTES_MAX: usize = 500;
const GROUP_NAME_BYTES_MAX: usize = 30;
const SOURCE_PREFIX: &str = "AddSource_Type_";
const SOURCE_KEYWORD_BYTES_MAX: usize = 8;

/// A tag and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FriendItem {
    /// `Tag_SNS_IM_…` or `Tag_SNS_Custom_…`.
    pub(crate) tag: String,
    pub(crate) value: FriendValue,
}

/// A value under a friend's tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FriendValue {
    Text(String),
    Number(u32),
    Names(Vec<String>),
}

/// Which of a friend's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) standard: bool,
    pub(crate) custom: bool,
}

impl Wanted {
    pub(crate) const ALL: Self = Self { standard: true, custom: true };
}

/// The values of a friend that are set.
pub(crate) fn items(head: &RelationsRow, friend: &TieRow, wanted: Wanted) -> Vec<FriendItem> {
    all(head, friend)
        .into_iter()
        .filter(|item| if item.tag.starts_with(CUSTOM) { wanted.custom } else { wanted.standard })
        .filter(|item| match &item.value {
            FriendValue::Text(text) => !text.is_empty(),
            FriendValue::Number(number) => *number != 0,
            FriendValue::Names(names) => !names.is_empty(),
        })
        .collect()
}

/// The values that differ, as they are now; what is not set any more is empty.
pub(crate) fn changed(
    old: &RelationsRow,
    was: &TieRow,
    new: &RelationsRow,
    is: &TieRow,
) -> Vec<FriendItem> {
    let before: BTreeMap<String, FriendValue> =
        all(old, was).into_iter().map(|item| (item.tag, item.value)).collect();
    let mut items = all(new, is);
    let gone = was.custom.keys().filter(|name| !is.custom.contains_key(*name));
    items.extend(gone.map(|name| custom(name, "")));
    items.retain(|item| before.get(&item.tag) != Some(&item.value));
    items
}

fn all(head: &RelationsRow, friend: &TieRow) -> Vec<FriendItem> {
    let item = |tag: &str, value| FriendItem { tag: tag.to_owned(), value };
    let text = |text: &String| FriendValue::Text(text.clone());
    let standard = [
        item(SOURCE, text(&friend.source)),
        item(REMARK, text(&friend.remark)),
        item(GROUP, FriendValue::Names(group_names(head, friend))),
        item(TIME, FriendValue::Number(friend.since)),
        item(WORDING, text(&friend.wording)),
        item(REMARK_TIME, FriendValue::Number(friend.remark_since)),
    ];
    standard
        .into_iter()
        .chain(friend.custom.iter().map(|(name, value)| custom(name, value)))
        .collect()
}

fn custom(name: &str, value: &str) -> FriendItem {
    FriendItem { tag: format!("{CUSTOM}{name}"), value: FriendValue::Text(value.to_owned()) }
}

fn group_names(head: &RelationsRow, friend: &TieRow) -> Vec<String> {
    let groups = head.groups.iter().filter(|group| friend.groups.contains(&group.number));
    groups.map(|group| group.name.clone()).collect()
}

/// Whether `tag` is one of a friend's in this app.
pub(crate) fn is_known(tag: &str, settings: &AppSettings) -> bool {
    [GROUP, REMARK, REMARK_TIME, SOURCE, WORDING, TIME].contains(&tag)
        || custom_name(tag, settings).is_some()
}

/// The keyword of a custom field that the app has.
pub(crate) fn custom_name<'a>(tag: &'a str, settings: &AppSettings) -> Option<&'a str> {
    let name = tag.strip_prefix(CUSTOM)?;
    settings.friend_custom_fields.0.iter().any(|known| known == name).then_some(name)
}

/// How a friend was found: `AddSource_Type_` and one to eight letters.
pub(crate) fn check_source(source: &str) -> Result<(), Refusal> {
    let keyword = source.strip_prefix(SOURCE_PREFIX).unwrap_or_default();
    let fits = (1..=SOURCE_KEYWORD_BYTES_MAX).contains(&keyword.len())
        && keyword.bytes().all(|byte| byte.is_ascii_alphabetic());
    if fits { Ok(()) } else { Err(Refusal::bad("AddSource is AddSource_Type_ and 1 to 8 letters")) }
}

pub(crate) fn check_remark(remark: &str) -> Result<(), Refusal> {
    at_most(remark, REMARK_BYTES_MAX, "the remark is longer than 96 bytes")
}

pub(crate) fn check_wording(wording: &str) -> Result<(), Refusal> {
    at_most(wording, WORDING_BYTES_MAX, "AddWording is longer than 256 bytes")
}

pub(crate) fn check_custom(value: &str) -> Result<(), Refusal> {
    at_most(value, CUSTOM_BYTES_MAX, "a custom field is longer than 500 bytes")
}

fn at_most(text: &str, bytes_max: usize, info: &'static str) -> Result<(), Refusal> {
    if text.len() <= bytes_max { Ok(()) } else { Err(Refusal::bad(info)) }
}

pub(crate) fn check_group_names(names: &[String]) -> Result<(), Refusal> {
    let fits = |name: &String| (1..=GROUP_NAME_BYTES_MAX).contains(&name.len());
    if names.iter().all(fits) {
        return Ok(());
    }
    Err(Refusal::bad("the name of a friend group has 1 to 30 bytes"))
}

/// Sets the remark, at a time that somebody may say otherwise.
pub(crate) fn set_remark(friend: &mut TieRow, remark: &str, at: UnixSeconds) {
    friend.remark_since = if remark.is_empty() { 0 } else { at.0 };
    remark.clone_into(&mut friend.remark);
}

/// Sets a custom field; an empty value removes it.
pub(crate) fn set_custom(friend: &mut TieRow, name: &str, value: &str) {
    if value.is_empty() {
        friend.custom.remove(name);
    } else {
        friend.custom.insert(name.to_owned(), value.to_owned());
    }
}

/// One change of a friend's values, checked.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Remark(String),
    /// The friend is in these groups and no others.
    Groups(Vec<String>),
    /// A custom field; an empty value removes it.
    Custom(String, String),
}

/// Reads what shall be put under `tag`.
///
/// # Errors
/// There is no such tag, users may not change it, or the value does not fit.
pub(crate) fn edit(
    tag: &str,
    value: &serde_json::value::RawValue,
    settings: &AppSettings,
) -> Result<Edit, Refusal> {
    let text = || {
        serde_json::from_str::<String>(value.get())
            .map_err(|_| Refusal::bad("the value is no string"))
    };
    if tag == REMARK {
        let remark = text()?;
        check_remark(&remark)?;
        return Ok(Edit::Remark(remark));
    }
    if tag == GROUP {
        let names: Vec<String> = serde_json::from_str(value.get())
            .map_err(|_| Refusal::bad("the value of Tag_SNS_IM_Group is no array of strings"))?;
        check_group_names(&names)?;
        let names: BTreeSet<String> = names.into_iter().collect();
        return Ok(Edit::Groups(names.into_iter().collect()));
    }
    let Some(name) = custom_name(tag, settings) else {
        return Err(Refusal {
            code: ErrorCode::RelationBadParameter,
            info: "the tag is none that can be changed",
        });
    };
    let value = text()?;
    check_custom(&value)?;
    Ok(Edit::Custom(name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::FriendGroupRow;

    fn head() -> RelationsRow {
        let group = |number, name: &str| FriendGroupRow { number, name: name.into() };
        RelationsRow {
            groups: vec![group(1, "work"), group(3, "chess")],
            ..RelationsRow::default()
        }
    }

    #[test]
    fn what_is_not_set_is_left_out_and_gone_groups_count_for_nothing() {
        let friend = TieRow { since: 9, groups: vec![2, 3], ..TieRow::default() };
        let items = items(&head(), &friend, Wanted::ALL);
        let text = serde_json::to_string(&items).expect("plain data");
        assert_eq!(
            text,
            concat!(
                r#"[{"Tag":"Tag_SNS_IM_Group","Value":["chess"]},"#,
                r#"{"Tag":"Tag_SNS_IM_AddTime","Value":9}]"#
            )
        );
    }

    #[test]
    fn changes_tell_the_new_value_or_an_empty_one() {
        let custom = |value: &str| [("Rank".to_owned(), value.to_owned())].into();
        let was = TieRow { remark: "old".into(), custom: custom("gold"), ..TieRow::default() };
        let is = TieRow { groups: vec![1], ..TieRow::default() };
        let items = changed(&head(), &was, &head(), &is);
        let told: Vec<(&str, &FriendValue)> =
            items.iter().map(|item| (item.tag.as_str(), &item.value)).collect();
        let empty = FriendValue::Text(String::new());
        let work = FriendValue::Names(vec!["work".into()]);
        assert_eq!(told, [(REMARK, &empty), (GROUP, &work), ("Tag_SNS_Custom_Rank", &empty)]);
    }

    #[test]
    fn limits_at_and_above() {
        assert!(check_remark(&"x".repeat(96)).is_ok() && check_remark(&"x".repeat(97)).is_err());
        assert!(
            check_wording(&"x".repeat(256)).is_ok() && check_wording(&"x".repeat(257)).is_err()
        );
        assert!(check_custom(&"x".repeat(500)).is_ok() && check_custom(&"x".repeat(501)).is_err());
        let names = |bytes| ["x".repeat(bytes)];
        assert!(check_group_names(&names(1)).is_ok() && check_group_names(&names(30)).is_ok());
        assert!(check_group_names(&names(0)).is_err() && check_group_names(&names(31)).is_err());
        assert!(check_source("AddSource_Type_A").is_ok());
        assert!(check_source("AddSource_Type_Abcdefgh").is_ok());
        for bad in ["", "Web", "AddSource_Type_", "AddSource_Type_Abcdefghi", "AddSource_Type_A1"] {
            assert!(check_source(bad).is_err(), "{bad}");
        }
    }
}
