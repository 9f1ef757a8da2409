//! Plays one case: its steps, its call, its comparison.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};
use tokio::time::{Duration, Instant, interval, timeout, timeout_at};

use crate::client::{Gateway, HttpRequest, query_string};
use crate::format::{Call, Case, Face, Login, Sign, Step};
use crate::matchers::compare;
use crate::server::{App, Server};
use crate::tokens::{Tokens, plain};

/// For one call, with all its repetitions when its reply may come `eventually`. Generous: a call that
/// works takes milliseconds, and machines that run tests can be slow.
const DEADLINE: Duration = Duration::from_secs(20);

/// Pace of the repetitions; below the default rate of REST calls.
const REPEAT_EVERY: Duration = Duration::from_millis(20);

/// The caller of REST when a case names none; the control interface makes it an administrator.
const ADMINISTRATOR: &str = "administrator";

/// The platform number of browsers.
const WEB: u32 = 7;

/// Longest text of a request or reply in a report, in characters.
const REPORTED_CHARS_MAX: usize = 2_000;

/// Seconds since 1970 on the runner's clock.
#[expect(clippy::disallowed_methods, reason = "the test is a client, and clients have clocks")]
pub(crate) fn unix_seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|since| u32::try_from(since.as_secs()).ok()).expect("the years 1970 to 2105")
}

/// Plays `case` in `app`, which nobody else uses.
///
/// # Errors
/// What went wrong, with the request and the reply, for people.
pub(crate) async fn play(case: &Case, app: App, server: &Server) -> Result<(), String> {
    let tokens = Tokens::new(app.id, unix_seconds());
    let mut play = Play {
        server,
        app,
        tokens,
        sessions: HashMap::new(),
        visitors: Vec::new(),
        last: Exchange::default(),
    };
    let mut result = Ok(());
    for (index, step) in case.given.iter().enumerate() {
        result = Box::pin(play.step(step)).await;
        if result.is_err() {
            result = result.map_err(|problem| format!("step {}: {problem}", index + 1));
            break;
        }
    }
    if result.is_ok() {
        result = play.call(&case.call, case.change.as_deref()).await.map(drop);
    }
    result.map_err(|problem| format!("{problem}\n{}", play.last))
}

struct Play<'a> {
    server: &'a Server,
    app: App,
    tokens: Tokens,
    /// Sessions by user and device.
    sessions: HashMap<(String, String), Gateway>,
    /// Sockets that did not log in; kept open until the case ends.
    visitors: Vec<Gateway>,
    last: Exchange,
}

/// What was last sent and answered, for reports.
#[derive(Default)]
struct Exchange {
    request: String,
    reply: String,
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(REPORTED_CHARS_MAX).collect::<String>();
        write!(f, "  sent  {}\n  reply {}", short(&self.request), short(&self.reply))
    }
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Call(call) => self.repeated(call).await,
            Step::With { step, with } => {
                let outer = self.tokens.clone();
                for (name, value) in with {
                    self.tokens.insert(name, outer.in_value(value)?);
                }
                Box::pin(self.step(step)).await
            }
            Step::Login(login) => {
                let user = self.tokens.in_text(&login.user)?;
                self.login(&Login { user, ..login.clone() }, &Sign::default()).await
            }
            Step::Logout(logout) => {
                let user = self.tokens.in_text(&logout.user)?;
                self.logout(session_key(&user, logout.device.as_deref())).await
            }
            Step::Set(setting) => self.server.set(&self.app, &self.tokens.in_text(setting)?).await,
            Step::Admin(account) => {
                self.server.add_admin(&self.app, &self.tokens.in_text(account)?).await
            }
        }
    }

    async fn repeated(&mut self, call: &Call) -> Result<(), String> {
        for round in 1..=call.times.unwrap_or(1) {
            if call.times.is_some() {
                self.tokens.insert("i", json!(round));
            }
            let reply = self.call(call, None).await?;
            for (name, path) in &call.save {
                let pointer = format!("/{}", path.replace('.', "/"));
                let value = reply.pointer(&pointer).ok_or(format!("no {path} to save"))?;
                self.tokens.insert(name, value.clone());
            }
        }
        Ok(())
    }

    /// Makes a call until its reply is as expected, but only once unless it says `eventually`.
    async fn call(&mut self, call: &Call, change: Option<&str>) -> Result<Value, String> {
        let deadline = Instant::now() + DEADLINE;
        let mut pace = interval(REPEAT_EVERY);
        let mut problem = "no reply in time".to_owned();
        let answered = timeout_at(deadline, async {
            loop {
                pace.tick().await;
                let reply = self.exchange(call, change).await?;
                match self.judge(call, &reply) {
                    Ok(()) => return Ok(reply),
                    Err(mismatch) if call.eventually => problem = mismatch,
                    Err(mismatch) => return Err(mismatch),
                }
            }
        });
        let outcome = answered.await.unwrap_or(Err(problem));
        outcome.map_err(|problem| format!("{}: {problem}", call.operation))
    }

    fn judge(&self, call: &Call, reply: &Value) -> Result<(), String> {
        let asked = call.reply.as_ref().map(|asked| self.tokens.in_reply(asked)).transpose()?;
        let of_error_code = asked.as_ref().is_some_and(|asked| asked.get("ErrorCode").is_some());
        let general = match call.error {
            Some(code) => {
                json!({ "ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": "$notempty" })
            }
            None if of_error_code => json!({}),
            None => match call.face() {
                Face::Rest => json!({ "ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "$str" }),
                // As clients read it.
                Face::Gateway if reply.get("ErrorCode").is_none() => json!({}),
                Face::Gateway => json!({ "ErrorCode": 0 }),
            },
        };
        let now = unix_seconds();
        compare(&general, reply, now)?;
        asked.map_or(Ok(()), |asked| compare(&asked, reply, now))
    }

    async fn exchange(&mut self, call: &Call, change: Option<&str>) -> Result<Value, String> {
        let body = self.body(call, change)?;
        self.last = Exchange::default();
        let reply = match call.face() {
            Face::Rest => self.rest(call, body).await?,
            Face::Gateway => self.gateway(call, &body).await?,
        };
        self.last.reply = reply.to_string();
        if reply.is_object() { Ok(reply) } else { Err("the reply is no object".to_owned()) }
    }

    fn body(&self, call: &Call, change: Option<&str>) -> Result<String, String> {
        let body = match &call.body {
            None => "{}".to_owned(),
            Some(Value::String(text)) => self.tokens.in_json_text(text)?,
            Some(table) => self.tokens.in_value(table)?.to_string(),
        };
        let Some(change) = change else { return Ok(body) };
        let read = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("{error} in {text}"))
        };
        let mut body = read(&body)?;
        merge(&mut body, read(&self.tokens.in_json_text(change)?)?);
        Ok(body.to_string())
    }

    async fn rest(&mut self, call: &Call, body: String) -> Result<Value, String> {
        let caller = self.tokens.in_text(call.caller.as_deref().unwrap_or(ADMINISTRATOR))?;
        let path = match &call.path {
            Some(path) => self.tokens.in_text(path)?,
            None => format!("/v4/{}", call.operation),
        };
        let query = query_string(&self.query(call, &caller)?);
        let content_type = call.content_type.clone().unwrap_or("application/json".to_owned());
        let request = HttpRequest {
            method: call.method.as_deref().unwrap_or("POST"),
            path_and_query: format!("{path}?{query}"),
            headers: vec![("content-type", content_type)],
            body,
        };
        self.last.request =
            format!("{} {} {}", request.method, request.path_and_query, request.body);
        let (status, text) = self.server.http.send(request).await?;
        self.last.reply = format!("{status} {text}");
        if status != 200 {
            return Err(format!("HTTP status {status}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("the reply is not JSON: {error}"))
    }

    fn query(&self, call: &Call, caller: &str) -> Result<Vec<(String, String)>, String> {
        let mut query = vec![
            ("sdkappid", self.app.id.to_string()),
            ("identifier", caller.to_owned()),
            ("usersig", self.sign(caller, &call.sign)?),
            ("random", "99999999".to_owned()),
            ("contenttype", "json".to_owned()),
        ];
        for (name, value) in &call.query {
            let value = plain(self.tokens.in_value(value)?);
            query.retain(|(other, _)| other != name);
            query.push((name, value));
        }
        query.retain(|(name, _)| !call.without.iter().any(|without| without == name));
        Ok(query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    async fn gateway(&mut self, call: &Call, body: &str) -> Result<Value, String> {
        let user = self.tokens.in_text(call.caller.as_deref().unwrap_or_default())?;
        let head = self.tokens.in_value(&Value::Object(call.head.clone()))?;
        let head = head.as_object().cloned().unwrap_or_default();
        let device = call.device.as_deref();
        self.last.request =
            format!("{} as {user}, head {}: {body}", call.operation, Value::from(head.clone()));
        if call.login == Some(false) {
            let mut visitor = self.open(&user, device, WEB, &call.sign).await?;
            let reply = visitor.ask(&call.operation, body, &head).await;
            self.visitors.push(visitor);
            return reply;
        }
        let key = session_key(&user, device);
        if !self.sessions.contains_key(&key) {
            let login = Login { user, device: call.device.clone(), platform: None };
            self.login(&login, &call.sign).await?;
        }
        let session = self.sessions.get_mut(&key).expect("just logged in");
        session.ask(&call.operation, body, &head).await
    }

    async fn login(&mut self, login: &Login, sign: &Sign) -> Result<(), String> {
        let device = login.device.as_deref();
        let platform = login.platform.unwrap_or(WEB);
        let mut session = self.open(&login.user, device, platform, sign).await?;
        let reply =
            timeout(DEADLINE, session.login()).await.map_err(|_| "no reply to the login")??;
        compare(&json!({ "ErrorCode": 0, "A2Key": "$notempty" }), &reply, unix_seconds())
            .map_err(|problem| format!("login of {}: {problem}", login.user))?;
        self.sessions.insert(session_key(&login.user, device), session);
        Ok(())
    }

    async fn logout(&mut self, key: (String, String)) -> Result<(), String> {
        let mut session = self
            .sessions
            .remove(&key)
            .ok_or_else(|| format!("{} has no session on {} to end", key.0, key.1))?;
        let body = r#"{"wslogout_type":0,"is_web_uniapp":0}"#;
        let head = Map::new();
        let logout = session.ask("im_open_status/wslogout", body, &head);
        let reply = timeout(DEADLINE, logout).await.map_err(|_| "no reply to the logout")??;
        compare(&json!({ "ErrorCode": 0 }), &reply, unix_seconds())
            .map_err(|problem| format!("logout of {}: {problem}", key.0))?;
        session.close().await
    }

    async fn open(
        &self,
        user: &str,
        device: Option<&str>,
        platform: u32,
        sign: &Sign,
    ) -> Result<Gateway, String> {
        let usersig = self.sign(user, sign)?;
        let instance = format!("{user}-{}", device.unwrap_or(DEVICE));
        let open =
            Gateway::open(self.server.address, self.app.id, platform, &instance, user, &usersig);
        timeout(DEADLINE, open).await.map_err(|_| "no answer to the connection")?
    }

    fn sign(&self, caller: &str, sign: &Sign) -> Result<String, String> {
        let now = i64::from(unix_seconds()) + sign.issued_s;
        let userbuf = sign.userbuf.as_ref().map(|text| STANDARD.decode(text)).transpose();
        let userbuf = userbuf.map_err(|error| format!("userbuf: {error}"))?;
        let mut usersig = usersig::sign(&SignRequest {
            app: SdkAppId(sign.app.unwrap_or(self.app.id)),
            user: sign.user.as_deref().unwrap_or(caller),
            key: sign.key.as_deref().unwrap_or(&self.app.secret),
            now: UnixSeconds(u32::try_from(now).map_err(|error| format!("issued_s: {error}"))?),
            expire_s: sign.expire_s.unwrap_or(86_400),
            userbuf: userbuf.as_deref(),
        });
        usersig.truncate(usersig.len().saturating_sub(sign.cut));
        Ok(usersig)
    }
}

/// The device of a call that names none.
const DEVICE: &str = "web";

fn session_key(user: &str, device: Option<&str>) -> (String, String) {
    (user.to_owned(), device.unwrap_or(DEVICE).to_owned())
}

/// Merges as RFC 7396 says.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_replaces_adds_and_removes() {
        let mut body = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1, 2] });
        merge(&mut body, json!({ "a": null, "b": { "c": 4 }, "e": [3], "f": { "g": null } }));
        assert_eq!(body, json!({ "b": { "c": 4, "d": 3 }, "e": [3], "f": {} }));
    }
}
