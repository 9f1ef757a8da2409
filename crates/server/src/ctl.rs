//! `teahouse ctl`: asks a running server.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::cli::{AdminCommand, AppCommand, CtlArgs, CtlCommand};
use crate::control::{Ask, ControlFile};
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
        AppCommand::Admin { sdkappid, command: AdminCommand::Add { account } } => {
            Ask::Admin { sdkappid: *sdkappid, account: account.clone(), add: true }
        }
        AppCommand::Admin { sdkappid, command: AdminCommand::Remove { account } } => {
            Ask::Admin { sdkappid: *sdkappid, account: account.clone(), add: false }
        }
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
