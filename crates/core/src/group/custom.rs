//! Custom fields of groups and members: an app declares their keys in its settings, the values are text.

use std::collections::{BTreeMap, BTreeSet};

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::CustomField;

use crate::rows::CustomFieldRow;
use crate::settings::{AppSettings, FieldKeys};

/// Which fields an app may declare, and how long a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    keys: &'a FieldKeys,
    value_bytes_max: u32,
}

impl<'a> Declared<'a> {
    pub(crate) fn of_groups(settings: &'a AppSettings) -> Self {
        Self {
            keys: &settings.group_custom_fields,
            value_bytes_max: settings.group_custom_value_bytes_max,
        }
    }

    pub(crate) fn of_members(settings: &'a AppSettings) -> Self {
        Self {
            keys: &settings.group_member_custom_fields,
            value_bytes_max: settings.group_member_custom_value_bytes_max,
        }
    }

    /// Checks values that somebody wants to set.
    pub(crate) fn check(self, fields: &[CustomField]) -> Result<(), Error> {
        for CustomField { key, value } in fields {
            if !self.keys.0.contains(key) {
                let info = format!("{key} is not a custom field of this app");
                return Err(Error::with(ErrorCode::GroupBadParameter, info));
            }
            if value.len() > self.value_bytes_max as usize {
                let (bytes, most) = (value.len(), self.value_bytes_max);
                let info = format!("the value of {key} is {bytes} bytes, at most {most}");
                return Err(Error::with(ErrorCode::GroupBadParameter, info));
            }
        }
        Ok(())
    }
}

/// Sets values, the last one of a key; one that is empty is removed. Says whether something changed.
pub(crate) fn set(rows: &mut Vec<CustomFieldRow>, fields: &[CustomField]) -> bool {
    let before = rows.clone();
    for CustomField { key, value } in fields {
        match (rows.binary_search_by(|row| row.key.cmp(key)), value.is_empty()) {
            (Ok(place), true) => drop(rows.remove(place)),
            (Ok(place), false) => rows[place].value.clone_from(value),
            (Err(_), true) => {}
            (Err(place), false) => {
                rows.insert(place, CustomFieldRow { key: key.clone(), value: value.clone() });
            }
        }
    }
    *rows != before
}

/// What a tip tells when `before` has become `now`: everything, and what is gone with an empty value.
pub(crate) fn told(before: &[CustomFieldRow], now: &[CustomFieldRow]) -> Vec<CustomFieldRow> {
    let gone = before.iter().map(|row| (row.key.clone(), String::new()));
    let there = now.iter().map(|row| (row.key.clone(), row.value.clone()));
    let all: BTreeMap<String, String> = gone.chain(there).collect();
    all.into_iter().map(|(key, value)| CustomFieldRow { key, value }).collect()
}

/// As they are sent.
pub(crate) fn fields(rows: &[CustomFieldRow]) -> Vec<CustomField> {
    let field =
        |row: &CustomFieldRow| CustomField { key: row.key.clone(), value: row.value.clone() };
    rows.iter().map(field).collect()
}

/// Those that are asked for.
pub(crate) fn chosen(rows: &[CustomFieldRow], keys: &BTreeSet<String>) -> Vec<CustomField> {
    fields(rows).into_iter().filter(|field| keys.contains(&field.key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str, value: &str) -> CustomField {
        CustomField { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn only_declared_keys_with_values_up_to_the_limit() {
        let keys = FieldKeys(vec!["level".to_owned()]);
        let declared = Declared { keys: &keys, value_bytes_max: 3 };
        assert!(declared.check(&[field("level", "é1")]).is_ok(), "3 bytes");
        assert!(declared.check(&[field("level", "éé")]).is_err(), "4 bytes");
        assert!(declared.check(&[field("other", "1")]).is_err());
    }

    #[test]
    fn values_are_kept_by_key_and_removed_when_empty() {
        let mut rows = Vec::new();
        assert!(set(&mut rows, &[field("b", "1"), field("a", "0"), field("a", "2")]));
        assert_eq!(fields(&rows), [field("a", "2"), field("b", "1")]);
        assert!(!set(&mut rows, &[field("a", "2"), field("c", "")]), "nothing changed");
        let before = rows.clone();
        assert!(set(&mut rows, &[field("a", "")]));
        assert_eq!(fields(&rows), [field("b", "1")]);
        assert_eq!(fields(&told(&before, &rows)), [field("a", ""), field("b", "1")]);
    }
}
