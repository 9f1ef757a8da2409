//! `teahouse ctl`: asks a running server.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use teahouse_core::hook::Replay;

use crate::cli::{AdminCommand, AppCommand, CtlArgs, CtlCommand, HooksCommand};
use crate::control::{Ask, ControlFile, HooksAsk};
use crate::{Failure, say};

/// Runs one command.
pub(crate) fn run(args: &CtlArgs) -> Result<(), Failure> {
    let CtlCommand::App(command) = &args.command;
    let told = ask(&ControlFile::read(&args.data)?, &question(command))?;
    say(shown(command, &told))
}

fn question(command: &AppCommand) -> Ask {
    match command {
        AppCommand::List => Ask::List,
        AppCommand::Create { sdkappid, secret } => {
            Ask::Create { sdkappid: *sdkappid, secret: secret.clone() }
        }
        AppCommand::Show { sdkappid }
        | AppCommand::Admin { sdkappid, command: AdminCommand::List } => {
            Ask::Show { sdkappid: *sdkappid }
        }
        AppCommand::Set { sdkappid, changes } => {
            Ask::Set { sdkappid: *sdkappid, changes: changes.clone() }
        }
        AppCommand::Hooks { sdkappid, command } => {
            Ask::Hooks { sdkappid: *sdkappid, what: hooks_question(command) }
        }
        AppCommand::Admin { sdkappid, command: AdminCommand::Add { account } } => {
            Ask::Admin { sdkappid: *sdkappid, account: account.clone(), add: true }
        }
        AppCommand::Admin { sdkappid, command: AdminCommand::Remove { account } } => {
            Ask::Admin { sdkappid: *sdkappid, account: account.clone(), add: false }
        }
    }
}

fn hooks_question(command: &HooksCommand) -> HooksAsk {
    match command {
        HooksCommand::Status => HooksAsk::Status,
        HooksCommand::Log { dead, count } => HooksAsk::Log { dead: *dead, count: *count },
        HooksCommand::Replay { event, from, to, .. } => {
            HooksAsk::Replay(match (event, from.zip(*to)) {
                (Some(event), _) => Replay::Event(event.clone()),
                (None, Some((from, to))) => Replay::Between(from, to),
                (None, None) => Replay::Dead,
            })
        }
    }
}

/// One line an object: its values in the order of `keys`, those that are missing as `-`.
fn table(rows: &Value, keys: &[&str]) -> String {
    let cell = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => "-".to_owned(),
        None => value.to_string(),
    };
    let line = |row: &Value| keys.iter().map(|key| cell(&row[key])).collect::<Vec<_>>().join("\t");
    let lines = rows.as_array().into_iter().flatten().map(line);
    std::iter::once(keys.join("\t")).chain(lines).collect::<Vec<_>>().join("\n")
}

fn hooks_shown(command: &HooksCommand, told: &Value) -> String {
    match command {
        HooksCommand::Status => {
            let attempts = ["at_ms", "command", "attempt", "latency_ms", "outcome"];
            format!(
                "events   {}\nbytes    {}\nopen     {}\ndropped  {}\n{}",
                told["events"],
                told["bytes"],
                told["open"],
                told["dropped"],
                table(&told["attempts"], &attempts),
            )
        }
        HooksCommand::Log { .. } => {
            let keys = ["event", "command", "at_ms", "state", "attempts", "latency_ms", "problem"];
            table(&told["events"], &keys)
        }
        HooksCommand::Replay { .. } => format!("replayed {}", told["replayed"]),
    }
}

fn shown(command: &AppCommand, told: &Value) -> String {
    let lines = |key: &str| -> Vec<String> {
        let items = told[key].as_array().into_iter().flatten();
        items.map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
    };
    match command {
        AppCommand::List => lines("apps").join("\n"),
        AppCommand::Admin { .. } => lines("admins").join("\n"),
        AppCommand::Hooks { command, .. } => hooks_shown(command, told),
        AppCommand::Create { .. } | AppCommand::Show { .. } | AppCommand::Set { .. } => {
            let mut text = format!(
                "sdkappid  {}\nkeys      {}\nadmins    {}\ncreated   {}\naccounts  {}",
                told["sdkappid"],
                lines("keys").join(" "),
                lines("admins").join(" "),
                told["created"],
                told["accounts"],
            );
            for (name, value) in told["settings"].as_object().into_iter().flatten() {
                text.push_str(&format!("\n{name}={}", value.as_str().unwrap_or_default()));
            }
            text
        }
    }
}

/// Asks the server; what it refuses is the failure's sentence.
pub(crate) fn ask(file: &ControlFile, ask: &Ask) -> Result<Value, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|problem| Failure(format!("the runtime does not start: {problem}")))?;
    runtime.block_on(async {
        let body = serde_json::to_vec(ask).expect("plain data is JSON");
        let request = Request::post(format!("http://{}/control/v1", file.address))
            .header(AUTHORIZATION, format!("Bearer {}", file.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::<bytes::Bytes>::from(body))
            .map_err(Failure::new)?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let unreachable = |problem: &dyn std::fmt::Display| {
            Failure(format!("the server does not answer at {}: {problem}", file.address))
        };
        let answer = client.request(request).await.map_err(|problem| unreachable(&problem))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|problem| unreachable(&problem))?;
        let told: Value =
            serde_json::from_slice(&body.to_bytes()).map_err(|problem| unreachable(&problem))?;
        if status.is_success() {
            return Ok(told);
        }
        Err(Failure(told["error"].as_str().unwrap_or("the server refused").to_owned()))
    })
}
