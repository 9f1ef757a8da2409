//! The body of a webhook, written field by field in the order of the documentation.

use serde::Serialize;
use serde::ser::SerializeMap;
use teahouse_proto::ids::UserId;

use super::table::Command;

/// Members that a body lists, at most: the webhook of a group with more lists the first ones.
pub(crate) const MEMBERS_MAX: usize = 500;

/// A JSON object that is written field by field.
pub(crate) struct Body(String);

impl Body {
    pub(crate) fn new(command: Command) -> Self {
        Self(format!(r#"{{"CallbackCommand":"{}""#, command.word()))
    }

    /// Adds a field.
    pub(crate) fn put(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        let value = serde_json::to_string(value).expect("plain data is JSON");
        self.0.reserve(name.len() + value.len() + 4);
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(&value);
        self
    }

    /// Adds a field if there is a value.
    pub(crate) fn put_some(self, name: &str, value: Option<&impl Serialize>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    /// Adds a list of `{"Member_Account": …}`.
    pub(crate) fn put_members<'a>(
        self,
        name: &str,
        users: impl IntoIterator<Item = &'a UserId>,
    ) -> Self {
        let members: Vec<_> =
            users.into_iter().take(MEMBERS_MAX).map(|user| Named("Member_Account", user)).collect();
        self.put(name, &members)
    }

    /// The body.
    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Adds a field to a finished body.
pub(crate) fn with_field(body: &str, name: &str, value: i64) -> String {
    let open = body.strip_suffix('}').unwrap_or(body);
    format!(r#"{open},"{name}":{value}}}"#)
}

/// An object with one field.
pub(crate) struct Named<'a, T: ?Sized>(pub(crate) &'static str, pub(crate) &'a T);

impl<T: Serialize + ?Sized> Serialize for Named<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}
