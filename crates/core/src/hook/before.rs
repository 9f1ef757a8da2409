//! Webhooks before an operation: the endpoint is asked once, within the app's time-out, and decides.

use bytes::Bytes;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::message::{BodyError, MessageBody};

use super::answer::{Answer, Refusals, Verdict};
use super::body::Body;
use super::post::{Client, PostError, post};
use super::table::Command;
use super::via::Via;
use crate::app::App;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::node::Node;
use crate::pair::rules;

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Passage<M> {
    /// It is sent, perhaps rewritten.
    Send(M),
    /// Its sender is told that it was sent.
    Drop,
}

/// What a message says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Says<'a> {
    pub(crate) body: &'a MessageBody,
    pub(crate) cloud_custom_data: &'a str,
}

/// Asks the app's endpoint before a message is sent, if it wants to be asked; answers with what the message
/// shall say instead, if that is something else. It is checked as the message before was: at most `bytes_max`.
///
/// # Errors
/// What the endpoint refuses with; `BeforeHookFailed` if it fails and the app wants that refused.
pub(crate) async fn message(
    caller: &Caller,
    command: Command,
    refusals: &Refusals,
    bytes_max: u32,
    says: Says<'_>,
    body_of: impl FnOnce(Body) -> Body,
) -> Outcome<Passage<Option<(MessageBody, String)>>> {
    let Some(answer) = ask(caller, command, body_of).await? else {
        return Ok(Passage::Send(None));
    };
    let rewritten = match answer.verdict(refusals) {
        Ok(Verdict::Pass(answer)) => rewrite(answer, bytes_max as usize, says),
        Ok(Verdict::Drop) => return Ok(Passage::Drop),
        Ok(Verdict::Refuse(error)) => return Err(error.into()),
        Err(problem) => Err(problem),
    };
    match rewritten {
        Ok(made) => Ok(Passage::Send(made)),
        Err(problem) => failed(caller.app(), command, &problem).map(|()| Passage::Send(None)),
    }
}

fn rewrite(
    answer: Answer,
    bytes_max: usize,
    says: Says<'_>,
) -> Result<Option<(MessageBody, String)>, PostError> {
    if answer.msg_body.is_none() && answer.cloud_custom_data.is_none() {
        return Ok(None);
    }
    let data = answer.cloud_custom_data.unwrap_or_else(|| says.cloud_custom_data.to_owned());
    let elements = answer
        .msg_body
        .unwrap_or_else(|| serde_json::value::to_raw_value(says.body).expect("a body is JSON"));
    let too_long = ErrorCode::BodyTooLong;
    let body = rules::body(&elements, &data, bytes_max, too_long, BodyError::group_code)
        .map_err(|problem| PostError::Malformed(format!("MsgBody: {}", problem.info)))?;
    let is_same = body.as_json() == says.body.as_json() && data == says.cloud_custom_data;
    Ok((!is_same).then_some((body, data)))
}

/// Asks the app's endpoint before an operation that it cannot rewrite, if it wants to be asked.
///
/// # Errors
/// As for [`message`].
pub(crate) async fn operation(
    caller: &Caller,
    command: Command,
    refusals: &Refusals,
    body_of: impl FnOnce(Body) -> Body,
) -> Outcome<Option<Answer>> {
    let Some(answer) = ask(caller, command, body_of).await? else { return Ok(None) };
    match answer.verdict(refusals) {
        Ok(Verdict::Pass(answer)) => Ok(Some(answer)),
        Ok(Verdict::Refuse(error)) => Err(error.into()),
        Ok(Verdict::Drop) => Ok(None),
        Err(problem) => failed(caller.app(), command, &problem).map(|()| None),
    }
}

/// The endpoint's answer. Nothing if it does not want to be asked, or has failed and that shall not matter.
///
/// # Errors
/// `BeforeHookFailed`.
pub(crate) async fn ask(
    caller: &Caller,
    command: Command,
    body_of: impl FnOnce(Body) -> Body,
) -> Outcome<Option<Answer>> {
    let (node, app) = (caller.node(), caller.app());
    if !app.wants(command) {
        return Ok(None);
    }
    let body = body_of(Body::new(command)).put("EventTime", &node.now().0).finish();
    let via = Via::of(caller, "");
    let client = Client::of(command, &via);
    let asked = send(node, app, command, &client, body.into()).await;
    match asked.and_then(|answer| Answer::parse(&answer)) {
        Ok(answer) => Ok(Some(answer)),
        Err(problem) => failed(app, command, &problem).map(|()| None),
    }
}

/// What a failure means: nothing, unless the app wants the operation refused.
fn failed(app: &App, command: Command, problem: &PostError) -> Outcome<()> {
    tracing::warn!(app = app.id().0, command = command.word(), %problem, "a webhook has failed");
    if app.facts().settings.webhook_refuse_on_failure.has(command) {
        return Err(Error::new(ErrorCode::BeforeHookFailed).into());
    }
    Ok(())
}

/// Calls the endpoints, the preferred one first, until one is reached. All of them have the time of one.
async fn send(
    node: &Node,
    app: &App,
    command: Command,
    client: &Client,
    body: Bytes,
) -> Result<Bytes, PostError> {
    let facts = app.facts();
    let began = node.now();
    let endpoints = facts.settings.webhook_url.0.len();
    let mut outcome = Err(PostError::Unreachable("the app has no endpoint".to_owned()));
    for _ in 0..endpoints {
        let endpoint = app.hooks.endpoint(endpoints);
        let now = node.now();
        let seconds = now.seconds();
        let mut call =
            post(app.id(), &facts.settings, endpoint, command, client, seconds, body.clone());
        let spent = now.since(began);
        let Some(left) = call.timeout.checked_sub(spent).filter(|left| !left.is_zero()) else {
            outcome = Err(PostError::TimedOut);
            break;
        };
        call.timeout = left;
        outcome = node.endpoints().post(call).await;
        match &outcome {
            Err(PostError::Unreachable(_)) => app.hooks.fail_over(endpoint, endpoints),
            Ok(_) | Err(_) => break,
        }
    }
    app.hooks.record(command, began, node.now(), 1, outcome.as_ref().err());
    outcome
}

impl Client {
    /// What the query of a webhook tells.
    pub(crate) fn of(command: Command, via: &Via) -> Self {
        // Its page has no such parameters.
        if command == Command::OnMemberStateChange {
            return Self::default();
        }
        // Its page alone spells it so.
        let is_ios = command == Command::StateChange && via.platform_word() == "iOS";
        let platform = if is_ios { "IOS" } else { via.platform_word() };
        let ip = via.ip.map(|ip| ip.to_string()).unwrap_or_default();
        Self { platform: platform.to_owned(), ip }
    }
}
