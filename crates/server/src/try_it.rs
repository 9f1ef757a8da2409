//! What the page at `/` needs beside the chat itself: signatures for the users that it plays, and a live
//! room full of viewers. Only with `serve --dev`: whoever reaches the server may be anybody then.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header;
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use teahouse_bench::{RoomSimulation, RoomStats, SimulationTarget};
use teahouse_core::app::{App, FIRST_ADMIN};
use teahouse_core::caller::{Caller, Who};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::usersig::{self, SignRequest};
use tokio::sync::Mutex;

use crate::http::{self, Answer};
use crate::serve::Server;

/// Longest body of a request.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Users who get signatures in one request.
const USERS_MAX: usize = 4;
/// How long the signatures hold.
const SIGNATURE_S: u64 = 86_400;
const CREATE_GROUP: &str = "group_open_http_svc/create_group";

/// The server's part of the page.
pub(crate) struct TryIt {
    dev: bool,
    /// Where this process itself reaches the server.
    address: SocketAddr,
    room: Mutex<Option<Room>>,
}

/// The simulation that runs or has run last.
struct Room {
    group: GroupId,
    simulation: RoomSimulation,
}

impl TryIt {
    pub(crate) fn new(dev: bool, listen: SocketAddr) -> Self {
        let ip = match listen.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        Self { dev, address: SocketAddr::new(ip, listen.port()), room: Mutex::default() }
    }

    /// Ends the simulation, if one runs.
    pub(crate) async fn end(&self) {
        if let Some(room) = self.room.lock().await.take() {
            stop(room.simulation).await;
        }
    }
}

/// Ends a simulation. It waits for a thread, so it has one of its own.
async fn stop(simulation: RoomSimulation) {
    if let Err(panic) = tokio::task::spawn_blocking(move || simulation.stop()).await {
        tracing::warn!(%panic, "a simulation did not end well");
    }
}

/// Why there is no answer.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(why: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_string())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    dev: bool,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_app_id: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsersWish {
    user_ids: Vec<UserId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    user_id: UserId,
    user_sig: String,
}

#[derive(Serialize)]
struct Users {
    users: Vec<Signed>,
    admin: Signed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoomWish {
    group_id: GroupId,
    viewers: u32,
    messages_per_second: u32,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct RoomReport {
    group_id: String,
    viewers: u32,
    connected: u32,
    messages_per_second: u32,
    offered: u64,
    delivered: u64,
    dropped: u64,
    latency_ms: Latency,
}

#[derive(Serialize, Default)]
struct Latency {
    p50: f64,
    p99: f64,
}

impl RoomReport {
    fn of(group: &GroupId, stats: RoomStats) -> Self {
        let tenths = |ms: f64| (ms * 10.0).round() / 10.0;
        Self {
            group_id: group.to_string(),
            viewers: stats.viewers,
            connected: stats.connected,
            messages_per_second: stats.messages_per_second,
            offered: stats.offered,
            delivered: stats.delivered,
            dropped: stats.dropped,
            latency_ms: Latency { p50: tenths(stats.p50_ms), p99: tenths(stats.p99_ms) },
        }
    }
}

/// Answers what is asked below `/try/`.
pub(crate) async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Answer {
    match ask(&server, request).await {
        Ok(body) => http::json(StatusCode::OK, body),
        Err(Refusal(status, why)) => {
            http::json(status, serde_json::json!({ "error": why }).to_string())
        }
    }
}

async fn ask(server: &Arc<Server>, request: Request<Incoming>) -> Result<String, Refusal> {
    let path = request.uri().path().to_owned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let posts = request.method() == Method::POST;
    match path.as_str() {
        "/try/info" if reads => Ok(json(&info(server))),
        _ if !server.try_it.dev => Err(not_found(&path)),
        "/try/users" if posts => Ok(json(&users(server, &body(request).await?)?)),
        "/try/room" if posts => {
            let report = steer(server, body(request).await?).await;
            Ok(json(&report?))
        }
        "/try/room" if reads => Ok(json(&look(server).await)),
        _ => Err(not_found(&path)),
    }
}

fn not_found(path: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("{path} is not served"))
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("plain data is JSON")
}

/// What a page of this server posts. A page of another one must not play with it.
async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refusal> {
    let said = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let origin = said(header::ORIGIN).and_then(|origin| Some(origin.split_once("://")?.1));
    if said(header::ORIGIN).is_some() && origin != said(header::HOST) {
        let why = "only pages of this server may ask".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, why));
    }
    let body = http::body(request.into_body(), BODY_BYTES_MAX).await;
    let body = body.map_err(|problem| Refusal::bad(format!("the body is {problem:?}")))?;
    serde_json::from_slice(&body).map_err(Refusal::bad)
}

fn info(server: &Server) -> Info {
    let app =
        server.try_it.dev.then(|| server.node.apps()).and_then(|apps| Some(apps.first()?.id().0));
    Info { dev: server.try_it.dev, version: env!("CARGO_PKG_VERSION"), sdk_app_id: app }
}

/// The first app, and its key.
fn app(server: &Server) -> Result<(Arc<App>, String), Refusal> {
    let app = server.node.apps().first().cloned();
    let key = app.as_ref().and_then(|app| app.facts().keys.first().cloned());
    let missing = || Refusal(StatusCode::CONFLICT, "there is no app with a key".to_owned());
    app.zip(key).ok_or_else(missing)
}

fn users(server: &Server, wish: &UsersWish) -> Result<Users, Refusal> {
    if !(1..=USERS_MAX).contains(&wish.user_ids.len()) {
        return Err(Refusal::bad(format!("userIds are 1 to {USERS_MAX}")));
    }
    let (app, key) = app(server)?;
    let sign = |user: &UserId| Signed {
        user_sig: usersig::sign(&SignRequest {
            app: app.id(),
            user: user.as_str(),
            key: &key,
            now: server.node.now().seconds(),
            expire_s: SIGNATURE_S,
            userbuf: None,
        }),
        user_id: user.clone(),
    };
    let users = wish.user_ids.iter().map(sign).collect();
    Ok(Users { users, admin: sign(&administrator()) })
}

fn administrator() -> UserId {
    UserId::parse(FIRST_ADMIN).expect("it is an account id")
}

async fn look(server: &Server) -> RoomReport {
    let room = server.try_it.room.lock().await;
    let room = room.as_ref().filter(|room| !room.simulation.has_ended());
    room.map_or_else(RoomReport::default, |room| {
        RoomReport::of(&room.group, room.simulation.stats())
    })
}

/// Starts, changes or ends the simulation.
async fn steer(server: &Arc<Server>, wish: RoomWish) -> Result<RoomReport, Refusal> {
    let RoomWish { group_id: group, viewers, messages_per_second: rate } = wish;
    let mut running = server.try_it.room.lock().await;
    let goes_on = running
        .as_ref()
        .is_some_and(|room| viewers > 0 && room.group == group && !room.simulation.has_ended());
    if !goes_on && let Some(room) = running.take() {
        let stats = RoomStats { viewers: 0, connected: 0, ..room.simulation.stats() };
        stop(room.simulation).await;
        if viewers == 0 {
            return Ok(RoomReport::of(&room.group, stats));
        }
    }
    if viewers == 0 {
        return Ok(RoomReport::default());
    }
    let room = match running.take() {
        Some(room) => {
            room.simulation.adjust(viewers, rate);
            room
        }
        None => start(server, group, viewers, rate).await?,
    };
    let room = running.insert(room);
    Ok(RoomReport::of(&room.group, room.simulation.stats()))
}

async fn start(
    server: &Arc<Server>,
    group: GroupId,
    viewers: u32,
    rate: u32,
) -> Result<Room, Refusal> {
    if server.tls.is_some() {
        let why = "the viewers speak no TLS: start the server without it".to_owned();
        return Err(Refusal(StatusCode::CONFLICT, why));
    }
    let (app, secret) = app(server)?;
    make_room(server, &app, &group).await?;
    let target = SimulationTarget { address: server.try_it.address, app: app.id(), secret };
    let id = group.clone();
    let started = tokio::task::spawn_blocking(move || {
        RoomSimulation::start(&target, id.as_str(), viewers, rate)
    });
    let failed = |why: String| Refusal(StatusCode::INTERNAL_SERVER_ERROR, why);
    let simulation = started.await.map_err(|panic| failed(panic.to_string()))?;
    Ok(Room { group, simulation: simulation.map_err(|problem| failed(problem.to_string()))? })
}

/// Makes the live room if there is no group with this id.
async fn make_room(server: &Arc<Server>, app: &Arc<App>, group: &GroupId) -> Result<(), Refusal> {
    let served = server.node.registry().rest(CREATE_GROUP).expect("groups can be made");
    let admin = Who::Admin(administrator());
    let caller = Caller::new(server.node.clone(), app.clone(), admin);
    let body = serde_json::json!({ "Type": "AVChatRoom", "Name": "try it", "GroupId": group });
    match served.run(caller, &body.to_string()).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code, ErrorCode::GroupIdUsed | ErrorCode::GroupIdOwned) => {
            Ok(())
        }
        Err(error) => Err(Refusal::bad(error.info)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_reaches_itself_where_it_listens() {
        for (listen, expected) in [("0.0.0.0:80", "127.0.0.1:80"), ("127.0.0.2:81", "127.0.0.2:81")]
        {
            let listen = listen.parse().expect("an address");
            assert_eq!(TryIt::new(true, listen).address.to_string(), expected);
        }
    }
}
