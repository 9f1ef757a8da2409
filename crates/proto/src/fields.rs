//! Reads the top level of a JSON object field by field, without building a tree.
//!
//! Operations accept several spellings of a field and answer a missing or wrong one with a code of
//! their own, which a derived deserialiser cannot express. [`Fields`] scans the object once, checks
//! the syntax of all of it, and keeps each value as the slice it was written in.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::describe;

/// The fields of one JSON object. A repeated name counts with its last value.
#[derive(Debug)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// Why a text is not an object of fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Not UTF-8, not JSON, not an object, too many fields, or something follows the object.
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
}

/// Why a field could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field, by its preferred spelling.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Absent or null under every spelling.
    Missing,
    /// Present, but not of the wanted type or out of its range; the text says how.
    WrongType(String),
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Missing => write!(f, "{} is missing", self.name),
            Problem::WrongType(how) => write!(f, "{} is wrong: {how}", self.name),
        }
    }
}

impl std::error::Error for FieldError {}

impl<'a> Fields<'a> {
    /// Most fields that an object may have; more are an error, not a cost.
    pub const COUNT_MAX: usize = 256;

    /// Scans `json`, which must hold exactly one object.
    ///
    /// # Errors
    /// [`FieldsError`] when it does not, or has more than [`Fields::COUNT_MAX`] fields.
    pub fn parse(json: &'a [u8]) -> Result<Self, FieldsError> {
        let text = std::str::from_utf8(json)
            .map_err(|error| FieldsError::NotAnObject(error.to_string()))?;
        Self::parse_text(text)
    }

    /// As [`Fields::parse`], of a value inside an already scanned text.
    ///
    /// # Errors
    /// [`FieldsError`] when the value is not an object or has too many fields.
    pub fn from_raw(json: &'a RawValue) -> Result<Self, FieldsError> {
        Self::parse_text(json.get())
    }

    fn parse_text(json: &'a str) -> Result<Self, FieldsError> {
        serde_json::from_str(json).map_err(|error| FieldsError::NotAnObject(describe(&error)))
    }

    /// The value under the first of `names` that is present and not null.
    #[must_use]
    pub fn get(&self, names: &[&str]) -> Option<&'a RawValue> {
        names.iter().find_map(|name| self.last(name).filter(|value| value.get() != "null"))
    }

    fn last(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Reads a field that must be there.
    ///
    /// # Errors
    /// [`FieldError`] naming `names[0]`: missing or null, or not a `T`.
    pub fn required<T: Deserialize<'a>>(&self, names: &[&'static str]) -> Result<T, FieldError> {
        self.optional(names)?
            .ok_or(FieldError { name: preferred(names), problem: Problem::Missing })
    }

    /// Reads a field that may be missing or null.
    ///
    /// # Errors
    /// [`FieldError`] naming `names[0]`: present, but not a `T`.
    pub fn optional<T: Deserialize<'a>>(
        &self,
        names: &[&'static str],
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.get(names) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|error| FieldError {
            name: preferred(names),
            problem: Problem::WrongType(describe(&error)),
        })
    }

    /// Names and values in the order in which they were written, repetitions included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(name, value)| (&**name, *value))
    }
}

fn preferred(names: &[&'static str]) -> &'static str {
    names.first().copied().unwrap_or_default()
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry()? {
                    if fields.len() == Fields::COUNT_MAX {
                        return Err(de::Error::custom("too many fields"));
                    }
                    fields.push((name, value));
                }
                Ok(Fields { fields })
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON string, borrowed from the input when it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A struct that is read from a JSON object only.
///
/// Derived deserialisers also take an array of the values in order, which no protocol here means.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOnly<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for MapOnly<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(MapOnly(std::marker::PhantomData))
    }
}

/// For `#[serde(deserialize_with)]`: a field that is read from an object only.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// For `#[serde(deserialize_with)]`: as [`object`], for a field that may be null.
pub(crate) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(value.map(|Object(value)| value))
}

/// For `#[serde(deserialize_with)]`: an array of objects, or null.
pub(crate) fn optional_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let items = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(items.map(|items| items.into_iter().map(|Object(item)| item).collect()))
}

/// An unsigned number that some callers write as a string of digits.
///
/// Only for the fields where the protocol documents both forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberOrText(pub u64);

impl JsonSchema for NumberOrText {
    fn schema_name() -> Cow<'static, str> {
        "NumberOrText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$" })
    }
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = NumberOrText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an unsigned integer or a string of digits")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<NumberOrText, E> {
                Ok(NumberOrText(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NumberOrText, E> {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                match text.parse() {
                    Ok(number) if digits => Ok(NumberOrText(number)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_name_present_and_not_null_wins() {
        let fields = fields(r#"{"Old":1,"New":null,"Other":3}"#);
        assert_eq!(fields.get(&["New", "Old"]).unwrap().get(), "1");
        assert_eq!(fields.get(&["Other", "Old"]).unwrap().get(), "3");
        assert!(fields.get(&["New"]).is_none());
        assert!(fields.get(&["old"]).is_none());
    }

    #[test]
    fn the_last_of_repeated_names_counts() {
        let fields = fields(r#"{"A":1,"A":2}"#);
        assert_eq!(fields.required::<u32>(&["A"]), Ok(2));
        // Also when it is null: the last value says "absent".
        let nulled = Fields::parse(br#"{"A":1,"A":null}"#).unwrap();
        assert!(nulled.get(&["A"]).is_none());
    }

    #[test]
    fn errors_name_the_field_and_the_problem() {
        let fields = fields(r#"{"MsgRandom":"7","Big":4294967296,"Half":1.5,"Negative":-1}"#);
        let missing = fields.required::<u32>(&["To_Account", "ToAccount"]).unwrap_err();
        assert_eq!(missing, FieldError { name: "To_Account", problem: Problem::Missing });
        assert_eq!(missing.to_string(), "To_Account is missing");
        for name in ["MsgRandom", "Big", "Half", "Negative"] {
            let wrong = fields.required::<u32>(&[name]).unwrap_err();
            assert_eq!(wrong.name, name);
            assert!(matches!(wrong.problem, Problem::WrongType(_)), "{wrong}");
        }
        assert_eq!(fields.optional::<u32>(&["Absent"]), Ok(None));
    }

    #[test]
    fn only_one_whole_object_is_accepted() {
        for json in ["", "[]", "1", "null", "{", "{}x", "{\"a\":}", "{\"a\":1,}", "{'a':1}"] {
            assert!(Fields::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(Fields::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Fields::parse(b" {} ").is_ok());
    }

    #[test]
    fn the_number_of_fields_is_bounded() {
        let object = |count: usize| {
            let entries: Vec<_> = (0..count).map(|i| format!("\"k{i}\":{i}")).collect();
            format!("{{{}}}", entries.join(","))
        };
        assert!(Fields::parse(object(Fields::COUNT_MAX).as_bytes()).is_ok());
        assert!(Fields::parse(object(Fields::COUNT_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn text_borrows_unless_escaped() {
        let fields = fields(r#"{"plain":"tea","escaped":"t\u0065a","\u006bey":1}"#);
        assert!(matches!(fields.required(&["plain"]), Ok(Text(Cow::Borrowed("tea")))));
        assert_eq!(fields.required::<Text<'_>>(&["escaped"]).unwrap().0, "tea");
        assert!(fields.get(&["key"]).is_some());
    }

    #[test]
    fn numbers_as_text_where_asked_for() {
        let fields = fields(r#"{"n":7,"t":"8","minus":"-8","empty":"","plus":"+1","float":1.0}"#);
        assert_eq!(fields.required(&["n"]), Ok(NumberOrText(7)));
        assert_eq!(fields.required(&["t"]), Ok(NumberOrText(8)));
        for name in ["minus", "empty", "plus", "float"] {
            assert!(fields.required::<NumberOrText>(&[name]).is_err(), "{name}");
        }
    }
}
