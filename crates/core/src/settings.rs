//! The settings of an app: one typed table with name, type, default, range and help.
//!
//! The table is the validation, the documentation (`docs/settings.md` is written from it), the
//! vocabulary of `teahouse ctl app set`, and the console's form. There are no editions: policies start
//! with the compatible service's default, numbers with its largest published one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use teahouse_proto::ids::UserId;

use crate::hook::table::Commands;

/// A value that a setting can have.
pub trait SettingValue: Sized + Clone + PartialEq {
    /// What may be written, for people: `a number`, `on or off`.
    const EXPECTS: &'static str;
    /// Reads what an operator wrote.
    fn parse(text: &str) -> Option<Self>;
    /// Writes it so that [`SettingValue::parse`] reads it back.
    fn show(&self) -> String;
}

impl SettingValue for u32 {
    const EXPECTS: &'static str = "a whole number";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for bool {
    const EXPECTS: &'static str = "on or off";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }
}

/// Which platforms one user may be logged in on at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginPolicy {
    /// One platform of all.
    Single,
    /// One of phone, tablet and desktop platforms, and Web beside it.
    Dual,
    /// One phone or tablet platform, one desktop platform, and Web.
    Triple,
    /// All platforms.
    Multi,
}

impl SettingValue for LoginPolicy {
    const EXPECTS: &'static str = "single, dual, triple or multi";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "single" => Some(Self::Single),
            "dual" => Some(Self::Dual),
            "triple" => Some(Self::Triple),
            "multi" => Some(Self::Multi),
            _ => None,
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Single => "single",
            Self::Dual => "dual",
            Self::Triple => "triple",
            Self::Multi => "multi",
        }
        .to_owned()
    }
}

/// Custom fields by keyword, without the tag's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldNames(pub Vec<String>);

impl SettingValue for FieldNames {
    const EXPECTS: &'static str = "keywords of 1 to 8 letters, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        let valid = |name: &str| {
            (1..=8).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
        };
        let names: Vec<String> =
            text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
        (names.len() <= 20 && names.iter().all(|n| valid(n))).then_some(Self(names))
    }
    fn show(&self) -> String {
        self.0.join(",")
    }
}

/// Custom fields of groups, or of their members, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldKeys(pub Vec<String>);

impl SettingValue for FieldKeys {
    const EXPECTS: &'static str = "at most 20 keys of 1 to 16 letters, digits and underscores, no digit first, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        let valid = |key: &str| {
            (1..=16).contains(&key.len())
                && !key.starts_with(|first: char| first.is_ascii_digit())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let keys: Vec<String> =
            text.split(',').map(str::trim).filter(|k| !k.is_empty()).map(str::to_owned).collect();
        (keys.len() <= 20 && keys.iter().all(|key| valid(key))).then_some(Self(keys))
    }
    fn show(&self) -> String {
        self.0.join(",")
    }
}

/// Accounts by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts(pub Vec<UserId>);

impl SettingValue for Accounts {
    const EXPECTS: &'static str = "account ids, separated by commas, at most 100";
    fn parse(text: &str) -> Option<Self> {
        const ACCOUNTS_MAX: usize = 100;
        let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
        let ids: Result<Vec<UserId>, _> = ids.map(UserId::parse).collect();
        ids.ok().filter(|ids| ids.len() <= ACCOUNTS_MAX).map(Self)
    }
    fn show(&self) -> String {
        self.0.iter().map(UserId::as_str).collect::<Vec<_>>().join(",")
    }
}

/// Where webhooks are sent: URLs, the one to prefer first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints(pub Vec<String>);

impl SettingValue for Endpoints {
    const EXPECTS: &'static str = "http:// or https:// URLs, separated by commas, at most 5; those behind the first take over when it fails";
    fn parse(text: &str) -> Option<Self> {
        const ENDPOINTS_MAX: usize = 5;
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        let urls: Vec<String> = urls.map(str::to_owned).collect();
        (urls.len() <= ENDPOINTS_MAX && urls.iter().all(|url| is_endpoint(url)))
            .then_some(Self(urls))
    }
    fn show(&self) -> String {
        self.0.join(",")
    }
}

/// Scheme, host, perhaps port, path and query; neither a password nor a fragment.
fn is_endpoint(url: &str) -> bool {
    const BYTES_MAX: usize = 1_000;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next());
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#@".contains(&byte);
    let names_host = |host: &str| !host.is_empty() && !host.starts_with(':');
    url.len() <= BYTES_MAX && host.is_some_and(names_host) && url.bytes().all(is_plain)
}

/// Headers that go along with each webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl SettingValue for Headers {
    const EXPECTS: &'static str = "Name:value, separated by semicolons, at most 10";
    fn parse(text: &str) -> Option<Self> {
        const HEADERS_MAX: usize = 10;
        let pairs = text.split(';').map(str::trim).filter(|pair| !pair.is_empty());
        let headers = pairs.map(|pair| {
            let (name, value) = pair.split_once(':')?;
            let (name, value) = (name.trim(), value.trim());
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let is_name = !name.is_empty() && name.bytes().all(is_word) && !is_reserved(name);
            let is_value = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
        });
        let headers: Option<Vec<_>> = headers.collect();
        headers.filter(|headers| headers.len() <= HEADERS_MAX).map(Self)
    }
    fn show(&self) -> String {
        let pair = |(name, value): &(String, String)| format!("{name}:{value}");
        self.0.iter().map(pair).collect::<Vec<_>>().join(";")
    }
}

/// Headers that the server itself sets.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 6] = [
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "x-teahouse-event-id",
    ];
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// A word or path without blanks; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word(pub String);

impl SettingValue for Word {
    const EXPECTS: &'static str = "at most 1000 printable characters without blanks";
    fn parse(text: &str) -> Option<Self> {
        const BYTES_MAX: usize = 1_000;
        let valid = text.len() <= BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then(|| Self(text.to_owned()))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Why a setting was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting {0}")]
    Unknown(String),
    /// The value is not of the setting's type or outside its range.
    #[error("{name}={value}: expected {expected}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What may be given.
        expected: String,
    },
}

/// One row of the table, for people.
#[derive(Debug, Clone)]
pub struct SettingInfo {
    /// As written on the command line.
    pub name: &'static str,
    /// What it may be.
    pub expects: String,
    /// Its value if nobody sets it.
    pub default: String,
    /// What it does.
    pub help: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty = $default:expr, $name:literal $(, $range:expr)?;)+) => {
        /// The settings of one app.
        #[derive(Debug, Clone, PartialEq)]
        pub struct AppSettings {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Default for AppSettings {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl AppSettings {
            /// Sets one setting from what an operator wrote.
            ///
            /// # Errors
            /// There is no such setting, or the value does not fit; nothing is changed.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
                match name {
                    $($name => {
                        let parsed = <$type as SettingValue>::parse(value);
                        $(let parsed = parsed.filter(|number| ($range).contains(number));)?
                        self.$field = parsed.ok_or_else(|| SettingError::Invalid {
                            name: $name,
                            value: value.to_owned(),
                            expected: expected::<$type>(settings!(@range $($range)?)),
                        })?;
                    })+
                    _ => return Err(SettingError::Unknown(name.to_owned())),
                }
                Ok(())
            }

            /// Every setting with its present value, by name.
            pub fn show(&self) -> BTreeMap<&'static str, String> {
                BTreeMap::from([$(($name, self.$field.show()),)+])
            }

            /// The whole table.
            pub fn table() -> Vec<SettingInfo> {
                let defaults = Self::default();
                vec![$(SettingInfo {
                    name: $name,
                    expects: expected::<$type>(settings!(@range $($range)?)),
                    default: defaults.$field.show(),
                    help: concat!($($help),+),
                },)+]
            }
        }
    };
    (@range) => { None };
    (@range $range:expr) => { Some(format!("{} to {}", $range.start(), $range.end())) };
}

fn expected<T: SettingValue>(range: Option<String>) -> String {
    match range {
        Some(range) => format!("{}, {range}", T::EXPECTS),
        None => T::EXPECTS.to_owned(),
    }
}

settings! {
    /// Largest one-to-one message: bytes of the compact elements and the custom data together.
    c2c_body_bytes_max: u32 = 12_288, "c2c.body_bytes_max", 64..=49_152;
    /// How long a repeated one-to-one send is recognised and answered with the first result, seconds.
    c2c_dedupe_s: u32 = 120, "c2c.dedupe_s", 1..=3_600;
    /// Longest time, and the default, for which an undelivered message counts as offline message, seconds.
    c2c_offline_s_max: u32 = 604_800, "c2c.offline_s_max", 60..=31_536_000;
    /// How long a sender may withdraw a one-to-one message, seconds. A backend may at any time.
    c2c_withdraw_s: u32 = 120, "c2c.withdraw_s", 0..=31_536_000;
    /// How long one-to-one messages are kept, days; 0 keeps them for ever.
    c2c_history_days: u32 = 90, "c2c.history_days", 0..=36_500;
    /// Only those who have each other as friends may write to each other.
    c2c_friends_only: bool = false, "c2c.friends_only";
    /// Most conversations in a user's list.
    conversation_list_max: u32 = 500, "conversation.list_max", 1..=100_000;
    /// A deleted conversation also disappears from the user's other devices.
    conversation_sync_delete: bool = false, "conversation.sync_delete";
    /// Longest list of merged messages that is stored apart from its message, bytes.
    merged_bytes_max: u32 = 262_144, "message.merged_bytes_max", 12_288..=917_504;
    /// Largest group message: bytes of the compact elements and the custom data together.
    group_body_bytes_max: u32 = 12_288, "group.body_bytes_max", 64..=49_152;
    /// How long a repeated group send is recognised and answered with the first result, seconds.
    group_dedupe_s: u32 = 300, "group.dedupe_s", 1..=3_600;
    /// Messages of groups may be recalled; if not, 10041 is answered.
    group_recall_enabled: bool = true, "group.recall_enabled";
    /// How long members may recall their own messages, seconds. Owner, admins and backends may recall any at any time.
    group_recall_s: u32 = 120, "group.recall_s", 0..=31_536_000;
    /// How long group messages are kept, days; 0 keeps them for ever.
    group_history_days: u32 = 90, "group.history_days", 0..=36_500;
    /// Messages a second that a group may have; those beyond are refused with 10023, the least important first.
    group_messages_per_second: u32 = 40, "group.messages_per_second", 1..=1_000_000;
    /// Largest group in which messages may ask for read receipts, members.
    group_receipt_members_max: u32 = 200, "group.receipt_members_max", 1..=2_000;
    /// Most pinned messages of a group.
    group_pins_max: u32 = 10, "group.pins_max", 1..=100;
    /// Most members of a group of type Private, Public or ChatRoom.
    group_members_max: u32 = 5_000, "group.members_max", 2..=100_000;
    /// Most members of a community.
    community_members_max: u32 = 100_000, "community.members_max", 2..=1_000_000;
    /// Most groups that one user is in.
    group_joined_max: u32 = 3_000, "group.joined_max", 1..=100_000;
    /// Longest name of a group, bytes.
    group_name_bytes_max: u32 = 100, "group.name_bytes_max", 1..=1_000;
    /// Longest introduction of a group, bytes.
    group_introduction_bytes_max: u32 = 240, "group.introduction_bytes_max", 1..=4_000;
    /// Longest notice of a group, bytes.
    group_notification_bytes_max: u32 = 300, "group.notification_bytes_max", 1..=4_000;
    /// Longest avatar URL of a group, bytes.
    group_face_url_bytes_max: u32 = 500, "group.face_url_bytes_max", 1..=4_000;
    /// Longest name of a member within a group, bytes.
    group_name_card_bytes_max: u32 = 50, "group.name_card_bytes_max", 1..=1_000;
    /// Writes a second that the attributes of a group may have; those beyond are refused with 10049.
    group_attribute_writes_per_second: u32 = 5, "group.attribute_writes_per_second", 1..=1_000_000;
    /// Most admins of a group.
    group_admins_max: u32 = 100, "group.admins_max", 0..=10_000;
    /// Groups in which nothing was said or changed for so long are dismissed, days; 0: none. Live rooms never are.
    group_recycle_idle_days: u32 = 0, "group.recycle_idle_days", 0..=36_500;
    /// Whoever is added to a group, by members or backends, is asked first; if not, he is in at once.
    group_invitee_consent: bool = false, "group.invitee_consent";
    /// How long applications and invitations can be decided on, and are listed, days.
    group_pendency_days: u32 = 7, "group.pendency_days", 1..=365;
    /// Custom fields of groups.
    group_custom_fields: FieldKeys = FieldKeys::default(), "group.custom_fields";
    /// Longest value of a custom field of a group, bytes.
    group_custom_value_bytes_max: u32 = 512, "group.custom_value_bytes_max", 1..=1_024;
    /// Custom fields of members of groups.
    group_member_custom_fields: FieldKeys = FieldKeys::default(), "group.member_custom_fields";
    /// Longest value of a custom field of a member, bytes.
    group_member_custom_value_bytes_max: u32 = 64, "group.member_custom_value_bytes_max", 1..=1_024;
    /// Messages a second that a live room may have; those beyond are dropped, the least important first.
    room_messages_per_second: u32 = 40, "room.messages_per_second", 1..=1_000_000;
    /// Accounts whose messages in live rooms are never dropped and count for no limit.
    room_never_dropped: Accounts = Accounts::default(), "room.never_dropped";
    /// Robots that the app may have.
    robots_max: u32 = 20, "robot.count_max", 0..=1_000;
    /// Most friends of one user.
    friend_list_max: u32 = 3_000, "friend.list_max", 1..=10_000;
    /// Most users that one user blocks.
    friend_blocked_max: u32 = 1_000, "friend.blocked_max", 1..=10_000;
    /// Most friend groups of one user.
    friend_groups_max: u32 = 32, "friend.groups_max", 1..=256;
    /// Most open friend requests that one user has sent, and most that he has received.
    friend_requests_max: u32 = 100, "friend.requests_max", 1..=1_000;
    /// Custom fields of friends, named without the Tag_SNS_Custom_ prefix.
    friend_custom_fields: FieldNames = FieldNames::default(), "friend.custom_fields";
    /// Users may follow each other; if not, 30005 is answered.
    follow_enabled: bool = true, "follow.enabled";
    /// Most users that one user follows. There may be any number of followers.
    follow_following_max: u32 = 5_000, "follow.following_max", 1..=100_000;
    /// Custom profile fields, named without the Tag_Profile_Custom_ prefix.
    profile_custom_fields: FieldNames = FieldNames::default(), "profile.custom_fields";
    /// Those of the custom profile fields that only administrators may set.
    profile_custom_fields_admin_only: FieldNames = FieldNames::default(), "profile.custom_fields_admin_only";
    /// Those of the custom profile fields that only administrators may read.
    profile_custom_fields_hidden: FieldNames = FieldNames::default(), "profile.custom_fields_hidden";
    /// Which platforms of one user may be logged in at the same time.
    login_policy: LoginPolicy = LoginPolicy::Dual, "login.policy";
    /// Web instances of one user at the same time.
    login_web_instances: u32 = 1, "login.web_instances", 1..=10;
    /// Devices of one user for each native platform; more than one needs the policy multi.
    login_native_instances: u32 = 1, "login.native_instances", 1..=3;
    /// How often a logged-in client says hello, seconds: bounds how soon an idle one is back after an outage.
    login_hello_s: u32 = 20, "login.hello_s", 5..=600;
    /// Failed signature checks for one user in a minute before all further ones get 70050 instead of their reason.
    login_failures_per_minute: u32 = 60, "login.failures_per_minute", 1..=100_000;
    /// A web client that is silent this long is offline, seconds.
    presence_web_timeout_s: u32 = 60, "presence.web_timeout_s", 15..=3_600;
    /// A native client that is silent this long is disconnected, seconds.
    presence_native_timeout_s: u32 = 400, "presence.native_timeout_s", 15..=3_600;
    /// How long a lost phone counts as PushOnline, days.
    presence_push_days: u32 = 7, "presence.push_days", 0..=365;
    /// How long a client whose connection broke counts as online for those who watch its user, seconds.
    presence_grace_s: u32 = 10, "presence.grace_s", 0..=60;
    /// Users whose status one device is told of; of more, those that it asked for first go.
    presence_subscriptions_max: u32 = 200, "presence.subscriptions_max", 1..=1_000;
    /// REST calls a second for each command that allows 200 by default; the slower commands keep their share of it.
    rest_calls_per_second: u32 = 200, "rest.calls_per_second", 1..=1_000_000;
    /// Where webhooks are sent.
    webhook_url: Endpoints = Endpoints::default(), "webhook.url";
    /// Which webhooks are sent.
    webhook_commands: Commands = Commands::default(), "webhook.commands";
    /// Webhooks before an operation whose failure refuses it (a message: 80003). For the others it goes on.
    webhook_refuse_on_failure: Commands = Commands::default(), "webhook.refuse_on_failure";
    /// Signs each webhook: Sign is the SHA-256 of it and RequestTime. Empty: not signed.
    webhook_token: Word = Word::default(), "webhook.token";
    /// Further headers of each webhook.
    webhook_headers: Headers = Headers::default(), "webhook.headers";
    /// PEM file on the server's machine with the certificate and the key that it shows to https endpoints.
    webhook_client_certificate: Word = Word::default(), "webhook.client_certificate";
    /// Endpoints may have loopback and private addresses. Link-local and metadata addresses are refused always.
    webhook_allow_private: bool = false, "webhook.allow_private";
    /// How long an endpoint has for its answer, milliseconds.
    webhook_timeout_ms: u32 = 2_000, "webhook.timeout_ms", 50..=10_000;
    /// How long an event that an endpoint has not taken is sent again, hours; 0: it is sent once.
    webhook_retry_hours: u32 = 24, "webhook.retry_hours", 0..=720;
    /// Webhooks after an event that are sent in one second; those beyond wait.
    webhook_per_second: u32 = 500, "webhook.per_second", 1..=100_000;
    /// Webhooks after an event that are under way at the same time.
    webhook_at_once: u32 = 16, "webhook.at_once", 1..=256;
    /// Largest log of events, MiB. What is beyond goes, the oldest first, sent or not.
    webhook_log_mib: u32 = 1_024, "webhook.log_mib", 1..=1_048_576;
    /// How long events that were sent stay in the log, for the record and to be sent again, hours.
    webhook_log_hours: u32 = 72, "webhook.log_hours", 1..=8_760;
    /// Unacknowledged bytes that may wait for one client before it is disconnected as too slow.
    gateway_send_queue_bytes: u32 = 1_048_576, "gateway.send_queue_bytes", 65_536..=67_108_864;
}

impl AppSettings {
    /// The settings that `overrides` describes. Rows that no longer fit (a later version narrowed the
    /// range) fall back to the default and are reported.
    pub fn from_overrides(overrides: &BTreeMap<String, String>) -> (Self, Vec<SettingError>) {
        let mut settings = Self::default();
        let problems =
            overrides.iter().filter_map(|(name, value)| settings.set(name, value).err()).collect();
        (settings, problems)
    }

    /// The table as a page of the manual.
    pub fn markdown() -> String {
        let mut page =
            String::from("| setting | value | default | what it does |\n|---|---|---|---|\n");
        for row in Self::table() {
            let help = row.help.trim();
            let default = if row.default.is_empty() { "(none)" } else { &row.default };
            let _ = writeln!(page, "| `{}` | {} | `{default}` | {help} |", row.name, row.expects);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_kept_at_both_ends_and_named_in_the_error() {
        let mut settings = AppSettings::default();
        for good in ["64", "49152"] {
            assert_eq!(settings.set("c2c.body_bytes_max", good), Ok(()));
        }
        for bad in ["63", "49153", "-1", "many", ""] {
            let error = settings.set("c2c.body_bytes_max", bad).expect_err("out of range");
            assert!(error.to_string().contains("64 to 49152"), "{error}");
        }
        assert_eq!(settings.c2c_body_bytes_max, 49_152);
    }

    #[test]
    fn what_is_shown_can_be_set_again() {
        let mut changed = AppSettings::default();
        for (name, value) in [
            ("login.policy", "triple"),
            ("profile.custom_fields", "Color, Rank"),
            ("conversation.sync_delete", "on"),
            ("group.custom_fields", "level, _2"),
            ("webhook.url", "https://a.example/hook?x=1, http://10.0.0.1:8080"),
            ("webhook.headers", "X-Key: a b; Y:z"),
            ("webhook.commands", "Bot.OnC2CMessage"),
        ] {
            changed.set(name, value).expect("valid");
        }
        let mut copy = AppSettings::default();
        for (name, value) in changed.show() {
            copy.set(name, &value).expect("shown values are valid");
        }
        assert_eq!(copy, changed);
    }

    #[test]
    fn an_endpoint_is_a_url_without_secrets_in_it() {
        let mut settings = AppSettings::default();
        for good in ["", "https://a.example", "http://[::1]:8080/x?y=z", "http://a,https://b/"] {
            assert_eq!(settings.set("webhook.url", good), Ok(()), "{good}");
        }
        for bad in [
            "a.example",
            "ftp://a",
            "http://",
            "http:///x",
            "http://:80/",
            "http://user:pw@a/",
            "http://a/#x",
            "http://a b/",
            "http://a,http://b,http://c,http://d,http://e,http://f",
        ] {
            assert!(settings.set("webhook.url", bad).is_err(), "{bad}");
        }
        for bad in ["X", "X Y:z", "Host:a", "content-length:3", "X:a\r\nY:b"] {
            assert!(settings.set("webhook.headers", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_names_and_bad_fields_are_refused() {
        let mut settings = AppSettings::default();
        assert_eq!(settings.set("nope", "1"), Err(SettingError::Unknown("nope".into())));
        for bad in ["toolongname", "with1digit", "a b"] {
            assert!(settings.set("profile.custom_fields", bad).is_err(), "{bad}");
        }
        assert_eq!(settings.set("group.custom_fields", "k234567890123456"), Ok(()));
        for bad in ["k2345678901234567", "2nd", "a-b"] {
            assert!(settings.set("group.custom_fields", bad).is_err(), "{bad}");
        }
    }
}
