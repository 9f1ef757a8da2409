//! One call of an endpoint: its address with the query, its headers, its signature.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;

use super::table::Command;
use crate::settings::AppSettings;

/// The header that names an event: one that is sent again has the same.
pub(super) const EVENT_ID: &str = "X-Teahouse-Event-Id";

/// A `POST` of a JSON body to an endpoint of an app.
#[derive(Debug, Clone)]
pub struct Post {
    /// The app that it is for.
    pub app: SdkAppId,
    /// The address, with the query.
    pub url: String,
    /// Beside `Content-Type: application/json`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// For all of it, from the look-up of the host to the end of the answer.
    pub timeout: Duration,
    /// Loopback and private addresses may be called.
    pub allow_private: bool,
    /// PEM file with the certificate to show; empty for none.
    pub client_certificate: Arc<str>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The address is none that may be called.
    #[error("the address is not allowed: {0}")]
    Forbidden(String),
    /// No connection came about: the endpoint has seen nothing.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// There was no answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// An answer with another status than 200. Redirects are not followed.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The answer is too long, or not of the form that is asked for.
    #[error("the answer is not understood: {0}")]
    Malformed(String),
}

impl PostError {
    /// For logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::Unreachable(_) => "unreachable",
            Self::Broken(_) => "broken",
            Self::TimedOut => "timed_out",
            Self::Status(_) => "status",
            Self::Malformed(_) => "malformed",
        }
    }

    /// The endpoint itself does not want this event; as opposed to one that is down, or whose proxy says so.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Status(status) => *status < 500 && !matches!(status, 408 | 425 | 429),
            Self::Forbidden(_) | Self::Unreachable(_) | Self::Broken(_) | Self::TimedOut => false,
        }
    }
}

/// What the query tells of the request that an event follows from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// As in `OptPlatform`; empty where the webhook names none.
    pub(crate) platform: String,
    pub(crate) ip: String,
}

/// A call of the endpoint with this index.
pub(crate) fn post(
    app: SdkAppId,
    settings: &AppSettings,
    endpoint: usize,
    command: Command,
    client: &Client,
    now: UnixSeconds,
    body: Bytes,
) -> Post {
    let base = settings.webhook_url.0.get(endpoint).map_or("", String::as_str);
    let mut url = String::with_capacity(base.len() + 160);
    url.push_str(base);
    url.push(if base.contains('?') { '&' } else { '?' });
    let _ = write!(url, "SdkAppid={app}&CallbackCommand={}&contenttype=json", command.word());
    if !client.platform.is_empty() {
        let _ = write!(url, "&ClientIP={}&OptPlatform={}", client.ip, client.platform);
    }
    let token = &settings.webhook_token.0;
    if !token.is_empty() {
        let _ = write!(url, "&Sign={}&RequestTime={}", sign(token, now), now.0);
    }
    Post {
        app,
        url,
        headers: settings.webhook_headers.0.clone(),
        body,
        timeout: Duration::from_millis(settings.webhook_timeout_ms.into()),
        allow_private: settings.webhook_allow_private,
        client_certificate: Arc::from(settings.webhook_client_certificate.0.as_str()),
    }
}

/// SHA-256 of the token and the second, one after the other, in lower-case hexadecimal.
fn sign(token: &str, now: UnixSeconds) -> String {
    let digest = Sha256::digest(format!("{token}{}", now.0));
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_documentation() {
        assert_eq!(
            sign("xxxxyyyy", UnixSeconds(1_669_872_112)),
            "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
        );
    }

    #[test]
    fn the_query_is_appended_to_what_the_address_has() {
        let client = Client { platform: "Web".to_owned(), ip: "10.1.2.3".to_owned() };
        let url = |base: &str, token: &str, client: &Client| {
            let mut settings = AppSettings::default();
            settings.set("webhook.url", base).expect("valid");
            settings.set("webhook.token", token).expect("valid");
            let (command, now) = (Command::BeforeSendC2c, UnixSeconds(1_669_872_112));
            post(SdkAppId(7), &settings, 0, command, client, now, Bytes::new()).url
        };
        let asked = "SdkAppid=7&CallbackCommand=C2C.CallbackBeforeSendMsg&contenttype=json";
        assert_eq!(
            url("https://a.example/hook", "", &client),
            format!("https://a.example/hook?{asked}&ClientIP=10.1.2.3&OptPlatform=Web")
        );
        let signed = url("https://a.example/?key=1", "xxxxyyyy", &Client::default());
        let sign = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061";
        assert_eq!(
            signed,
            format!("https://a.example/?key=1&{asked}&Sign={sign}&RequestTime=1669872112")
        );
    }

    #[test]
    fn an_endpoint_that_is_down_has_not_refused() {
        for (error, refusal) in [
            (PostError::Status(302), true),
            (PostError::Status(404), true),
            (PostError::Status(429), false),
            (PostError::Status(500), false),
            (PostError::Status(503), false),
            (PostError::TimedOut, false),
            (PostError::Malformed("x".into()), true),
        ] {
            assert_eq!(error.is_refusal(), refusal, "{error}");
        }
    }
}
