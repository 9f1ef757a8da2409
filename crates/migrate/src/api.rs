//! REST calls to one side: signed, paced, and repeated when they came too often or did not come through.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};
use tokio::time::Instant;

use crate::error::{CallError, MigrateError};

/// An app of a service, and who may do everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) host: Host,
    pub(crate) app: SdkAppId,
    /// An administrator of the app.
    pub(crate) admin: String,
    pub(crate) key: String,
    /// Calls a second of one command.
    pub(crate) calls_per_second: u32,
}

/// `https://HOST`, or `http://HOST` within a network that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host(String);

const ENCRYPTED: &str = "https://";

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let host = text.strip_prefix(ENCRYPTED).or_else(|| text.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', '?', ' ']) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("{text}: expected https://HOST or http://HOST")),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The protocol's answers have at most 1 MiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A call is given up after so many attempts: more than a minute, with the pauses between them.
const ATTEMPTS_MAX: u32 = 14;
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longer than a migration takes.
const SIGNATURE_S: u64 = 90 * 86_400;

/// Calls a second, where a command has fewer than the others' 200.
const SLOW: &[(&str, u32)] = &[
    ("group_open_http_svc/get_appid_group_list", 1),
    ("im_open_login_svc/multiaccount_import", 100),
    ("im_open_login_svc/account_check", 100),
];
const USUAL: u32 = 200;

/// One side.
pub(crate) struct Api {
    side: &'static str,
    endpoint: Endpoint,
    signature: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// By command: when the next call may start.
    turns: Mutex<HashMap<&'static str, Instant>>,
}

/// What every answer holds.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "ErrorCode", default)]
    code: i64,
    #[serde(rename = "ErrorInfo", default)]
    info: String,
}

impl Api {
    pub(crate) fn new(
        side: &'static str,
        endpoint: Endpoint,
        now: UnixSeconds,
    ) -> Result<Self, MigrateError> {
        let signature = usersig::sign(&SignRequest {
            app: endpoint.app,
            user: &endpoint.admin,
            key: &endpoint.key,
            now,
            expire_s: SIGNATURE_S,
            userbuf: None,
        });
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls(&endpoint.host)?);
        let connector = connector.https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { side, endpoint, signature, client, turns: Mutex::default() })
    }

    /// Who it is, for the journal.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.endpoint.host, self.endpoint.app)
    }

    /// Calls `command`; what cannot succeed now is tried again, with growing pauses.
    pub(crate) async fn call<A: DeserializeOwned>(
        &self,
        command: &'static str,
        request: &impl Serialize,
    ) -> Result<A, CallError> {
        let body = Bytes::from(serde_json::to_vec(request).expect("plain data is JSON"));
        let mut attempt = 0;
        loop {
            self.turn(command).await;
            let outcome = tokio::time::timeout(ANSWER_TIMEOUT, self.once(command, body.clone()));
            let outcome = outcome
                .await
                .unwrap_or_else(|_| Err(self.broken(command, "no answer in time", true)));
            attempt += 1;
            match outcome {
                Err(error) if error.is_passing() && attempt < ATTEMPTS_MAX => {
                    tokio::time::sleep(pause(attempt, rand::random())).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn once<A: DeserializeOwned>(
        &self,
        command: &'static str,
        body: Bytes,
    ) -> Result<A, CallError> {
        let Endpoint { host, app, admin, .. } = &self.endpoint;
        let (signature, random) = (&self.signature, rand::random::<u32>());
        let uri = format!(
            "{host}/v4/{command}?sdkappid={app}&identifier={}&usersig={signature}&random={random}&contenttype=json",
            escaped(admin),
        );
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|problem| self.broken(command, problem, false))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|problem| self.broken(command, chain(&problem), true))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|problem| self.broken(command, problem, true))?.to_bytes();
        if !status.is_success() {
            let passing = status.is_server_error() || status.as_u16() == 429;
            return Err(self.broken(command, format_args!("HTTP status {status}"), passing));
        }
        let malformed = |problem: serde_json::Error| {
            self.broken(command, format_args!("the answer is not as expected: {problem}"), false)
        };
        let envelope: Envelope = serde_json::from_slice(&body).map_err(malformed)?;
        if envelope.code != 0 {
            let Envelope { code, info } = envelope;
            return Err(CallError::Refused { side: self.side, command, code, info });
        }
        serde_json::from_slice(&body).map_err(malformed)
    }

    fn broken(
        &self,
        command: &'static str,
        problem: impl fmt::Display,
        passing: bool,
    ) -> CallError {
        CallError::Broken { side: self.side, command, problem: problem.to_string(), passing }
    }

    /// Waits for the command's turn: calls of one command keep a distance.
    async fn turn(&self, command: &'static str) {
        let distance = distance(command, self.endpoint.calls_per_second);
        let at = {
            let mut turns = self.turns.lock().expect("no panic while held");
            let now = Instant::now();
            let next = turns.entry(command).or_insert(now);
            let at = (*next).max(now);
            *next = at + distance;
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

/// Trusts whom this machine trusts, if that matters: not every machine has certificates.
fn tls(host: &Host) -> Result<ClientConfig, MigrateError> {
    let mut roots = RootCertStore::empty();
    if host.0.starts_with(ENCRYPTED) {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let info = format!("this machine has no certificates to know {host} by");
            return Err(MigrateError::Usage(info));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has its own default versions");
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn distance(command: &str, calls_per_second: u32) -> Duration {
    let slow = SLOW.iter().find(|(name, _)| *name == command);
    let of_command = slow.map_or(USUAL, |(_, calls)| *calls);
    Duration::from_secs(1) * USUAL / of_command / calls_per_second
}

/// The pause after the `attempt`th attempt, from 1: twice that before it, and a part of that by chance, so that
/// calls which failed together do not come again together.
fn pause(attempt: u32, chance: u32) -> Duration {
    let pause = (PAUSE_FIRST * 2u32.saturating_pow(attempt - 1).min(1_000)).min(PAUSE_MAX);
    pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// A value of a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A problem with what lies behind it.
fn chain(problem: &dyn std::error::Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(problem) = next {
        text.push_str(&format!(": {problem}"));
        next = problem.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_scheme_and_nothing_behind_it() {
        assert_eq!("https://h.example/".parse(), Ok(Host("https://h.example".to_owned())));
        assert_eq!("http://127.0.0.1:80".parse(), Ok(Host("http://127.0.0.1:80".to_owned())));
        for wrong in ["h.example", "https://", "ftp://h", "https://h/v4", "https://h?x"] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn slow_commands_are_as_much_slower_at_any_rate() {
        let list = "group_open_http_svc/get_appid_group_list";
        assert_eq!(distance(list, 200), Duration::from_secs(1));
        assert_eq!(distance(list, 2_000), Duration::from_millis(100));
        assert_eq!(distance("sns/friend_get", 200), Duration::from_millis(5));
        assert_eq!(distance("im_open_login_svc/account_check", 200), Duration::from_millis(10));
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        for (attempt, most) in [(1, 100), (2, 200), (5, 1_600), (9, 10_000), (40, 10_000)] {
            let most = Duration::from_millis(most);
            assert_eq!(pause(attempt, 0), most / 2);
            assert!(pause(attempt, u32::MAX) <= most && pause(attempt, u32::MAX / 2) > most / 2);
        }
    }

    #[test]
    fn a_query_value_is_escaped() {
        assert_eq!(escaped("a b&@~"), "a%20b%26%40~");
    }
}
