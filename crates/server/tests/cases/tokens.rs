//! Tokens such as `{{now+60}}` in requests, steps and replies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The values that tokens stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    named: BTreeMap<String, Value>,
}

impl Tokens {
    /// The tokens that every case knows: `app`, and `now` in unix seconds.
    pub(crate) fn new(app: u32, now: u32) -> Self {
        Self { named: BTreeMap::from([("app".into(), json!(app)), ("now".into(), json!(now))]) }
    }

    /// Gives a token its value, in place of an earlier one.
    pub(crate) fn insert(&mut self, name: &str, value: Value) {
        self.named.insert(name.to_owned(), value);
    }

    /// Replaces tokens in plain text.
    pub(crate) fn in_text(&self, text: &str) -> Result<String, String> {
        self.replace(text, plain)
    }

    /// Replaces tokens in JSON text; texts are escaped, but bring no quotes.
    pub(crate) fn in_json_text(&self, text: &str) -> Result<String, String> {
        self.replace(text, |value| {
            let is_text = value.is_string();
            let json = value.to_string();
            if is_text { json[1..json.len() - 1].to_owned() } else { json }
        })
    }

    /// Replaces tokens in all strings of `value`. A string that is only one token becomes the
    /// token's value with its type.
    pub(crate) fn in_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match only_token(text) {
                Some(token) => self.value(token)?,
                None => Value::String(self.in_text(text)?),
            },
            Value::Array(list) => {
                Value::Array(list.iter().map(|item| self.in_value(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, field)| Ok((name.clone(), self.in_value(field)?)))
                    .collect::<Result<_, String>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// A reply as a case writes it: a table, or JSON text that may hold tokens outside its strings.
    pub(crate) fn in_reply(&self, reply: &Value) -> Result<Value, String> {
        let Value::String(text) = reply else { return self.in_value(reply) };
        if let Ok(value) = serde_json::from_str(text) {
            return self.in_value(&value);
        }
        let text = self.in_json_text(text)?;
        serde_json::from_str(&text).map_err(|error| format!("the expected reply: {error}: {text}"))
    }

    fn replace(&self, text: &str, write: impl Fn(Value) -> String) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            // `{"a":{{n}}}`: the token ends at the first pair of braces.
            let Some((token, after)) = after.split_once("}}") else { break };
            out.push_str(before);
            out.push_str(&write(self.value(token)?));
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, token: &str) -> Result<Value, String> {
        if let Some(ids) = token.strip_prefix("ids:") {
            return id_list(ids).ok_or_else(|| format!("{{{{{token}}}}} is no list of ids"));
        }
        if let Some(list) = token.strip_prefix("list:") {
            return json_list(list).ok_or_else(|| format!("{{{{{token}}}}} is no list of JSON"));
        }
        if let Some((text, times)) = token.rsplit_once('*') {
            let times = times.parse().map_err(|_| format!("{{{{{token}}}}}: not a number"))?;
            return Ok(Value::String(text.repeat(times)));
        }
        if let Some(value) = self.named.get(token) {
            return Ok(value.clone());
        }
        self.moved(token).ok_or_else(|| format!("nothing is called {{{{{token}}}}}"))
    }

    fn moved(&self, token: &str) -> Option<Value> {
        let sign = token.rfind(['+', '-'])?;
        let by: i64 = token[sign..].parse().ok()?;
        Some(json!(self.named.get(&token[..sign])?.as_i64()? + by))
    }
}

/// A value in plain text: strings as they are, everything else as JSON.
pub(crate) fn plain(value: Value) -> String {
    if let Value::String(text) = value { text } else { value.to_string() }
}

fn only_token(text: &str) -> Option<&str> {
    text.strip_prefix("{{")?.strip_suffix("}}").filter(|token| !token.contains("}}"))
}

/// `u:1..3` and `u:1..3:UserID`.
fn id_list(text: &str) -> Option<Value> {
    let mut parts = text.split(':');
    let prefix = parts.next()?;
    let (first, last) = parts.next()?.split_once("..")?;
    let field = parts.next();
    let numbers = first.parse::<u32>().ok()?..=last.parse().ok()?;
    let ids = numbers.map(|number| format!("{prefix}{number}"));
    Some(match field {
        Some(field) => ids.map(|id| json!({ field: id })).collect(),
        None => ids.map(Value::from).collect(),
    })
}

/// `1..3:{"n":#}`: the JSON as often, with the number in place of each `#`.
fn json_list(text: &str) -> Option<Value> {
    let (range, item) = text.split_once(':')?;
    let (first, last) = range.split_once("..")?;
    let mut numbers = first.parse::<u32>().ok()?..=last.parse().ok()?;
    numbers
        .try_fold(Vec::new(), |mut list, number| {
            list.push(serde_json::from_str(&item.replace('#', &number.to_string())).ok()?);
            Some(list)
        })
        .map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let mut tokens = Tokens::new(1_400_000_001, 1000);
        tokens.insert("n", json!(2));
        tokens.insert("name", json!("a \"b\""));
        tokens
    }

    #[test]
    fn tokens_in_json_text_become_json() {
        for (text, expected) in [
            (r#"{"a":{{n}}}"#, r#"{"a":2}"#),
            (r#"{"a":{"b":{{now-600}}}}"#, r#"{"a":{"b":400}}"#),
            (r#"{"a":"{{name}}"}"#, r#"{"a":"a \"b\""}"#),
            (r#"{"a":"{{é*3}}"}"#, r#"{"a":"ééé"}"#),
            (r#"{"a":{{ids:u:1..2}}}"#, r#"{"a":["u1","u2"]}"#),
            (r#"{"a":{{ids:u:9..10:UserID}}}"#, r#"{"a":[{"UserID":"u9"},{"UserID":"u10"}]}"#),
            (
                r#"{"a":{{list:1..2:{"n":#,"s":"u#"} }}}"#,
                r#"{"a":[{"n":1,"s":"u1"},{"n":2,"s":"u2"}]}"#,
            ),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}}}"#),
            ("{{app}} {{n+1}}", "1400000001 3"),
        ] {
            assert_eq!(tokens().in_json_text(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_string_that_is_only_a_token_has_the_type_of_its_value() {
        let reply = json!({ "a": "{{n}}", "b": ["{{n+1}}"], "c": "{{n}}{{n}}", "d": "{{x*2}}" });
        let expected = json!({ "a": 2, "b": [3], "c": "22", "d": "xx" });
        assert_eq!(tokens().in_reply(&reply), Ok(expected.clone()));
        assert_eq!(tokens().in_reply(&Value::String(reply.to_string())), Ok(expected));
        assert_eq!(tokens().in_reply(&json!(r#"{"a":{{n}}}"#)), Ok(json!({ "a": 2 })));
    }

    #[test]
    fn unknown_tokens_are_mistakes() {
        for token in ["{{m}}", "{{m+1}}", "{{name+1}}", "{{x*y}}", "{{ids:u}}", "{{list:1..2:{}}"] {
            assert!(tokens().in_text(token).is_err(), "{token}");
        }
    }
}
