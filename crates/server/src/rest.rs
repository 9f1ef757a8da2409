//! REST: `POST /v4/{service}/{command}`. HTTP status 200 whatever the outcome; the envelope tells it.
//!
//! The order of checks: shape of the request, command, app, identifier and signature, administrator,
//! rate, body.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use teahouse_core::app::App;
use teahouse_core::caller::{Caller, Who};
use teahouse_core::error::Failure;
use teahouse_core::operation::{FAMILIES, Family, Served, family};
use teahouse_core::session;
use teahouse_core::settings::AppSettings;
use teahouse_proto::envelope::{envelope, error_envelope};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{SdkAppId, UserId};

use crate::http::{self, Answer, BodyProblem, query_value};
use crate::serve::Server;
use crate::telemetry::{self, Face};

/// Answers one call.
pub(crate) async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Answer {
    if request.method() == Method::OPTIONS {
        return cross_origin(http::text(StatusCode::OK, ""));
    }
    let path = request.uri().path().to_owned();
    let called = command(&path);
    let family = called.map_or(&FAMILIES[0], family);
    let outcome = call(&server, called, request).await;
    telemetry::count_request(Face::Rest, outcome.as_ref().err());
    let body = match outcome {
        Ok(fields) => envelope(&fields, family.error_display),
        Err(error) => error_envelope(&error, family.error_display),
    };
    cross_origin(http::json(StatusCode::OK, body))
}

/// Pages of other origins may call, as the compatible service lets them.
fn cross_origin(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    let set = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// `service/command` of a well-formed path.
fn command(path: &str) -> Option<&str> {
    let command = path.strip_prefix("/v4/")?;
    let (service, name) = command.split_once('/')?;
    (!service.is_empty() && !name.is_empty() && !name.contains('/')).then_some(command)
}

async fn call(
    server: &Arc<Server>,
    called: Option<&str>,
    request: Request<Incoming>,
) -> Result<String, Error> {
    let peer = http::peer(&request);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_json = query_value(&query, "contenttype").as_deref() == Some("json");
    let Some(called) = called.filter(|_| request.method() == Method::POST && is_json) else {
        let info = "expected POST /v4/{service}/{command} with contenttype=json";
        return Err(Error::with(ErrorCode::HttpMalformed, info));
    };
    let unknown = || Error::with(family(called).unknown_command, format!("{called} is not served"));
    let served = server.node.registry().rest(called).ok_or_else(unknown)?;
    let app = app(server, &query)?;
    let admin = authenticate(server, &app, &query, served.family).await?;
    let limit = calls_per_second(served, &app.facts().settings);
    if !app.count_call(served.index, limit, server.node.now()) {
        return Err(ErrorCode::CommandTooFrequent.into());
    }
    let body = http::body(request.into_body(), server.config.rest_body_bytes_max).await;
    let body = body.map_err(|problem| match problem {
        BodyProblem::TooLong => Error::with(
            ErrorCode::BodyTooLong,
            format!("the body is over {} bytes", server.config.rest_body_bytes_max),
        ),
        BodyProblem::Cut => Error::new(ErrorCode::HttpMalformed),
    })?;
    let body = std::str::from_utf8(&body).unwrap_or_default();
    let caller = Caller::new(server.node.clone(), app, Who::Admin(admin)).at(peer);
    run(server, served, caller, body).await
}

/// Runs the operation on a task of its own: a caller that goes away, or a time-out, leaves nothing half
/// done.
async fn run(
    server: &Arc<Server>,
    served: &Served,
    caller: Caller,
    body: &str,
) -> Result<String, Error> {
    let operation = served.run(caller, body);
    let working = server.work.start();
    let task = tokio::spawn(async move {
        let outcome = operation.await;
        drop(working);
        outcome
    });
    match tokio::time::timeout(server.config.rest_timeout(), task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            tracing::error!(path = served.about.path, %panic, "an operation panicked");
            Err(Error::new(served.family.internal))
        }
        Err(_) => Err(ErrorCode::ServiceTimeout.into()),
    }
}

fn app(server: &Server, query: &str) -> Result<Arc<App>, Error> {
    let id = query_value(query, "sdkappid").filter(|id| !id.is_empty());
    let id = id.ok_or(ErrorCode::SdkAppIdMissing)?;
    let id: u32 = id.parse().map_err(|_| ErrorCode::SdkAppIdInvalid)?;
    session::app_of(&server.node, SdkAppId(id))
}

async fn authenticate(
    server: &Server,
    app: &App,
    query: &str,
    family: &Family,
) -> Result<UserId, Error> {
    let identifier = query_value(query, "identifier").filter(|id| !id.is_empty());
    let identifier = identifier.ok_or(ErrorCode::AccountCheckFailed)?;
    let usersig = query_value(query, "usersig").ok_or(ErrorCode::AccountCheckRefused)?;
    let checked = session::check_usersig(&server.node, app, &identifier, &usersig).await;
    let (user, _) = checked.map_err(|failure| said(failure, family))?;
    if app.facts().admins.contains(&user) {
        Ok(user)
    } else {
        Err(Error::with(family.not_admin, format!("{user} is not an administrator of the app")))
    }
}

/// What a caller is told of a failure outside an operation.
pub(crate) fn said(failure: Failure, family: &Family) -> Error {
    match failure {
        Failure::Refused(error) => error,
        Failure::Read(_) | Failure::Commit(_) => {
            tracing::error!(%failure, "a caller could not be checked");
            Error::new(family.internal)
        }
    }
}

/// The setting is for commands with the default rate; the slower ones keep their share of it.
fn calls_per_second(served: &Served, settings: &AppSettings) -> u32 {
    const DEFAULT: u64 = 200;
    let share =
        u64::from(served.about.calls_per_second) * u64::from(settings.rest_calls_per_second);
    u32::try_from((share / DEFAULT).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_service_and_a_command_and_nothing_more() {
        assert_eq!(command("/v4/openim/sendmsg"), Some("openim/sendmsg"));
        for bad in
            ["/v3/openim/sendmsg", "/v4/openim", "/v4/openim/", "/v4//sendmsg", "/v4/a/b/c", "/"]
        {
            assert_eq!(command(bad), None, "{bad}");
        }
    }
}
