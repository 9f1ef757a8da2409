//! HTTP on the one port: which path is whose.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::serve::Server;
use crate::shard::Shard;
use crate::{gateway, page, rest, telemetry, try_it};

/// An answer that is in memory as a whole.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Where a connection comes from; goes along with its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Where a request comes from.
pub(crate) fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0)
}

/// Answers one request. A client that goes away does not stop what it asked for: see [`rest`].
pub(crate) async fn answer(
    server: Arc<Server>,
    shard: Arc<Shard>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(if gateway::is_upgrade(&request) {
        gateway::upgrade(server, shard, request)
    } else {
        match path {
            "/healthz" if read => text(StatusCode::OK, "ok\n"),
            "/readyz" if read && server.is_ready() => text(StatusCode::OK, "ready\n"),
            "/readyz" if read => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            "/metrics" if read => {
                let page = telemetry::page(&server.metrics, &server.node);
                text(StatusCode::OK, page)
            }
            "/" if read => page::index(request.headers()),
            asset if read && asset.starts_with("/assets/") => {
                page::asset(&asset[1..], request.headers())
            }
            asked if asked.starts_with("/try/") => try_it::answer(server, request).await,
            _ => rest::answer(server, request).await,
        }
    })
}

pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=utf-8", body)
}

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "application/json", body)
}

/// An answer with a body of the media type `kind`.
pub(crate) fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// The whole body, if it is not longer than `bytes_max`.
pub(crate) async fn body(body: Incoming, bytes_max: usize) -> Result<Bytes, BodyProblem> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(problem) if problem.is::<http_body_util::LengthLimitError>() => {
            Err(BodyProblem::TooLong)
        }
        Err(_) => Err(BodyProblem::Cut),
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyProblem {
    TooLong,
    Cut,
}

/// The values of a query string by name; of repeated ones the last counts.
pub(crate) fn query_value<'a>(query: &'a str, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    });
    values.next_back().map(percent_decoded)
}

/// Decodes `%41`; leaves alone what is not a valid escape.
fn percent_decoded(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two hex digits"));
                at += 3;
            }
            (byte, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values() {
        let query = "a=1&usersig=eJ%2Bx-%3D&b=&a=2&c";
        assert_eq!(query_value(query, "a").as_deref(), Some("2"));
        assert_eq!(query_value(query, "usersig").as_deref(), Some("eJ+x-="));
        assert_eq!(query_value(query, "b").as_deref(), Some(""));
        assert_eq!(query_value(query, "c").as_deref(), Some(""));
        assert_eq!(query_value(query, "d"), None);
        assert_eq!(percent_decoded("100%"), "100%");
    }
}
