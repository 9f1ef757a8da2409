//! Compares a reply with what a case says it must hold.

use serde_json::Value;

/// How far from the runner's clock a `$now` may be, seconds.
const NOW_TOLERANCE_S: u64 = 60;

/// Whether `actual` holds what `expected` asks for.
///
/// # Errors
/// Where the first difference is and what was found there.
pub(crate) fn compare(expected: &Value, actual: &Value, now: u32) -> Result<(), String> {
    Comparison { now }.field("reply", expected, Some(actual))
}

struct Comparison {
    now: u32,
}

impl Comparison {
    fn field(&self, at: &str, expected: &Value, actual: Option<&Value>) -> Result<(), String> {
        if expected == "$absent" {
            return match actual {
                None => Ok(()),
                Some(found) => Err(format!("{at}: should be absent, is {found}")),
            };
        }
        let Some(actual) = actual else {
            return Err(format!("{at}: missing, expected {expected}"));
        };
        match expected {
            Value::Object(fields) => {
                let found = actual.as_object().ok_or_else(|| differs(at, expected, actual))?;
                fields.iter().try_for_each(|(name, field)| {
                    self.field(&format!("{at}.{name}"), field, found.get(name))
                })
            }
            Value::Array(items) => self.list(at, items, actual),
            Value::String(text) if text.starts_with('$') => self.matcher(at, text, actual),
            Value::Number(_) if number(expected) == number(actual) => Ok(()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if expected == actual { Ok(()) } else { Err(differs(at, expected, actual)) }
            }
        }
    }

    fn list(&self, at: &str, items: &[Value], actual: &Value) -> Result<(), String> {
        let found = actual.as_array().ok_or_else(|| format!("{at}: is no list: {actual}"))?;
        let (items, exact) = match items.split_first() {
            Some((head, rest)) if head == "$contains" => (rest, false),
            Some((head, rest)) if head == "$unordered" => (rest, true),
            _ => return self.in_order(at, items, found),
        };
        if exact && items.len() != found.len() {
            return Err(wrong_length(at, items.len(), found));
        }
        let mut taken = vec![false; found.len()];
        if self.assign(items, found, &mut taken) {
            Ok(())
        } else {
            Err(format!("{at}: no elements of their own for {items:?} in {actual}"))
        }
    }

    fn in_order(&self, at: &str, items: &[Value], found: &[Value]) -> Result<(), String> {
        if items.len() != found.len() {
            return Err(wrong_length(at, items.len(), found));
        }
        items.iter().zip(found).enumerate().try_for_each(|(index, (item, element))| {
            self.field(&format!("{at}[{index}]"), item, Some(element))
        })
    }

    /// Gives each of `items` an element of its own; goes back when a later one finds none left.
    fn assign(&self, items: &[Value], found: &[Value], taken: &mut [bool]) -> bool {
        let Some((item, rest)) = items.split_first() else { return true };
        for (index, element) in found.iter().enumerate() {
            if taken[index] || self.field("", item, Some(element)).is_err() {
                continue;
            }
            taken[index] = true;
            if self.assign(rest, found, taken) {
                return true;
            }
            taken[index] = false;
        }
        false
    }

    fn matcher(&self, at: &str, matcher: &str, actual: &Value) -> Result<(), String> {
        let (name, argument) = matcher.split_once(':').unwrap_or((matcher, ""));
        let matches = match name {
            "$any" => true,
            "$int" => actual.is_i64() || actual.is_u64(),
            "$str" => actual.is_string(),
            "$notempty" => actual.as_str().is_some_and(|text| !text.is_empty()),
            "$now" => actual
                .as_u64()
                .is_some_and(|time| time.abs_diff(u64::from(self.now)) <= NOW_TOLERANCE_S),
            "$len" => length(actual).is_some_and(|length| length.to_string() == argument),
            "$like" => actual.as_str().is_some_and(|text| like(argument, text)),
            _ => return Err(format!("{at}: there is no matcher {matcher}")),
        };
        if matches { Ok(()) } else { Err(format!("{at}: expected {matcher}, found {actual}")) }
    }
}

fn differs(at: &str, expected: &Value, actual: &Value) -> String {
    format!("{at}: expected {expected}, found {actual}")
}

fn wrong_length(at: &str, expected: usize, found: &[Value]) -> String {
    let list = Value::from(found);
    format!("{at}: expected {expected} elements, found {}: {list}", found.len())
}

/// A number by value: whole numbers exactly, whatever they are written as.
fn number(value: &Value) -> Option<(Option<i128>, u64)> {
    let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    match whole {
        Some(whole) => Some((Some(whole), 0)),
        None => {
            let float = value.as_f64()?;
            // Numbers up to 2^53 that are whole are the same as their integers.
            #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
            let as_whole = (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i128);
            Some((as_whole, if as_whole.is_some() { 0 } else { float.to_bits() }))
        }
    }
}

fn length(value: &Value) -> Option<usize> {
    value.as_array().map(Vec::len).or_else(|| value.as_str().map(str::len))
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut ends = text.char_indices().map(|(index, _)| index).chain([text.len()]);
            ends.any(|index| like(rest, &text[index..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u32 = 1000;

    fn same(expected: Value, actual: Value) {
        assert_eq!(compare(&expected, &actual, NOW), Ok(()), "{expected} and {actual}");
    }

    fn differ(expected: Value, actual: Value) {
        assert!(compare(&expected, &actual, NOW).is_err(), "{expected} and {actual}");
    }

    #[test]
    fn a_table_asks_for_its_fields_and_allows_others() {
        same(json!({ "a": 1 }), json!({ "a": 1, "b": 2 }));
        differ(json!({ "a": 1 }), json!({ "b": 1 }));
        differ(json!({ "a": { "b": 1 } }), json!({ "a": { "b": 2 } }));
        differ(json!({ "a": {} }), json!({ "a": [] }));
        same(json!({ "a": null }), json!({ "a": null }));
        differ(json!({ "a": null }), json!({}));
    }

    #[test]
    fn values_are_compared_with_their_type_and_numbers_by_value() {
        same(json!(1), json!(1.0));
        same(json!(u64::MAX), json!(u64::MAX));
        same(json!(29.25), json!(29.25));
        differ(json!(u64::MAX), json!(u64::MAX - 1));
        differ(json!(1), json!(1.5));
        differ(json!(1), json!("1"));
        differ(json!("1"), json!(1));
        differ(json!(false), json!(0));
    }

    #[test]
    fn a_list_is_compared_element_by_element() {
        same(json!([1, { "a": 2 }]), json!([1, { "a": 2, "b": 3 }]));
        differ(json!([1, 2]), json!([2, 1]));
        differ(json!([1]), json!([1, 2]));
        differ(json!([]), json!([1]));
        differ(json!([]), json!({}));
    }

    #[test]
    fn matchers_take_what_they_name() {
        for (matcher, good, bad) in [
            ("$any", vec![json!(1), json!(null), json!({})], vec![]),
            ("$int", vec![json!(-1), json!(u64::MAX)], vec![json!(1.5), json!("1")]),
            ("$str", vec![json!(""), json!("a")], vec![json!(1), json!(null)]),
            ("$notempty", vec![json!("a")], vec![json!(""), json!(1)]),
            ("$now", vec![json!(940), json!(1060)], vec![json!(939), json!(1061), json!("1000")]),
            ("$len:2", vec![json!([1, 2]), json!("é")], vec![json!([1]), json!("e"), json!(2)]),
            ("$like:*_5_*", vec![json!("1_5_2"), json!("_5_")], vec![json!("5_1"), json!(5)]),
            ("$like:a*", vec![json!("a"), json!("ab")], vec![json!("ba"), json!("")]),
            ("$like:ab", vec![json!("ab")], vec![json!("abc")]),
        ] {
            good.into_iter().for_each(|actual| same(json!(matcher), actual));
            bad.into_iter().for_each(|actual| differ(json!(matcher), actual));
        }
        differ(json!({ "a": "$any" }), json!({}));
        differ(json!("$nothing"), json!("$nothing"));
    }

    #[test]
    fn absent_means_that_the_field_is_not_there() {
        same(json!({ "a": "$absent" }), json!({}));
        differ(json!({ "a": "$absent" }), json!({ "a": null }));
    }

    #[test]
    fn sets_need_an_element_for_each_of_theirs() {
        same(json!(["$contains", 2, 1]), json!([1, 2, 3]));
        differ(json!(["$contains", 1, 1]), json!([1, 2]));
        differ(json!(["$contains", 4]), json!([1, 2]));
        same(json!(["$unordered", 2, 1]), json!([1, 2]));
        differ(json!(["$unordered", 1]), json!([1, 2]));
        // The first fits both, and must leave the second what only that can take.
        same(json!(["$unordered", "$any", 1]), json!([1, 2]));
    }

    #[test]
    fn a_difference_says_where_it_is() {
        let error = compare(&json!({ "a": [{ "b": 1 }] }), &json!({ "a": [{ "b": 2 }] }), NOW);
        assert_eq!(error, Err("reply.a[0].b: expected 1, found 2".to_owned()));
    }
}
