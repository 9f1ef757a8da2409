//! The control face: what operators do, over HTTP with a token, for `teahouse ctl`.
//!
//! It listens on the loopback address only, on a port of its own. The server leaves address and token in
//! the data directory, readable by its user only: who can read the data may control the server.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use teahouse_core::error::{Failure as CoreFailure, Outcome};
use teahouse_core::hook::Replay;
use teahouse_core::node::Node;
use teahouse_proto::ids::{SdkAppId, UserId};

use crate::Failure;
use crate::http::{self, Answer};
use crate::serve::Server;

const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What `ctl` asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Ask {
    /// List the apps.
    List,
    /// Make an app.
    Create {
        /// The app; a free number if absent.
        sdkappid: Option<u32>,
        /// Its key; a random one if absent.
        secret: Option<String>,
    },
    /// Show an app.
    Show {
        /// The app.
        sdkappid: u32,
    },
    /// Change settings, all or none.
    Set {
        /// The app.
        sdkappid: u32,
        /// Names and values.
        changes: Vec<(String, String)>,
    },
    /// Add or remove an administrator.
    Admin {
        /// The app.
        sdkappid: u32,
        /// The account.
        account: String,
        /// Add, or else remove.
        add: bool,
    },
    /// See, or send again, what an app's webhooks tell.
    Hooks {
        /// The app.
        sdkappid: u32,
        /// What.
        what: HooksAsk,
    },
    /// Write all data into a file of the server's machine.
    Export {
        /// The file; made, or replaced.
        file: PathBuf,
    },
}

/// What `ctl` asks of an app's webhooks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HooksAsk {
    /// How they stand, and the last calls.
    Status,
    /// The newest events of the log.
    Log {
        /// Only those that were given up.
        dead: bool,
        /// At most so many.
        count: usize,
    },
    /// Send events again.
    Replay(Replay),
}

/// The file that leads `ctl` to the server. It goes when the server stops.
#[derive(Debug, Serialize, Deserialize)]
pub struct ControlFile {
    /// Where the server listens.
    pub address: SocketAddr,
    /// What it must be told.
    pub token: String,
    #[serde(skip)]
    path: PathBuf,
}

impl ControlFile {
    /// Its name in the data directory.
    pub const NAME: &'static str = "control.json";

    pub(crate) fn write(
        data: &Path,
        address: SocketAddr,
        server: &Server,
    ) -> Result<Self, Failure> {
        let path = data.join(Self::NAME);
        let file = Self { address, token: server.control_token.clone(), path: path.clone() };
        let json = serde_json::to_vec(&file).expect("plain data is JSON");
        let write = || {
            // A file left by a crash may have other permissions or an old token.
            match std::fs::remove_file(&path) {
                Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
                    return Err(problem);
                }
                Ok(()) | Err(_) => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&json)
        };
        write().map_err(|problem| Failure(format!("{}: {problem}", path.display())))?;
        Ok(file)
    }

    /// Reads the file that a running server has left in `data`.
    ///
    /// # Errors
    /// There is none, or it is not readable.
    pub fn read(data: &Path) -> Result<Self, Failure> {
        let path = data.join(Self::NAME);
        let text = std::fs::read(&path).map_err(|problem| {
            let is_missing = problem.kind() == std::io::ErrorKind::NotFound;
            let why =
                if is_missing { "no server is running on it".into() } else { problem.to_string() };
            Failure(format!("{}: {why}", data.display()))
        })?;
        serde_json::from_slice(&text)
            .map_err(|problem| Failure(format!("{} is damaged: {problem}", path.display())))
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // A server that stops has no use for an error here; the next one replaces the file.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A secret of 64 hexadecimal digits.
pub(crate) fn random_secret() -> String {
    use rand::rand_core::TryRng;
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serves one connection of the control port.
pub(crate) async fn serve(server: std::sync::Arc<Server>, socket: tokio::net::TcpStream) {
    let service = hyper::service::service_fn(|request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(answer(&server, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
        .await;
    if let Err(problem) = served {
        tracing::debug!(%problem, "a control connection broke");
    }
}

/// Answers `POST /control/v1`.
async fn answer(server: &std::sync::Arc<Server>, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST || request.uri().path() != "/control/v1" {
        return refuse(StatusCode::NOT_FOUND, "expected POST /control/v1");
    }
    if !is_authorised(server, &request) {
        return refuse(StatusCode::UNAUTHORIZED, "the control token is missing or wrong");
    }
    let body = http::body(request.into_body(), BODY_BYTES_MAX).await;
    let Ok(ask) = body.map_err(|_| ()).and_then(|b| serde_json::from_slice(&b).map_err(|_| ()))
    else {
        return refuse(StatusCode::BAD_REQUEST, "the request is not understood");
    };
    match carry_out(server, ask).await {
        Ok(told) => http::json(StatusCode::OK, told.to_string()),
        Err(CoreFailure::Refused(error)) => refuse(StatusCode::CONFLICT, &error.info),
        Err(failure) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

fn is_authorised(server: &Server, request: &Request<Incoming>) -> bool {
    use subtle::ConstantTimeEq;
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer "));
    token.is_some_and(|token| token.as_bytes().ct_eq(server.control_token.as_bytes()).into())
}

fn refuse(status: StatusCode, why: &str) -> Answer {
    http::json(status, serde_json::json!({ "error": why }).to_string())
}

async fn carry_out(server: &std::sync::Arc<Server>, ask: Ask) -> Outcome<serde_json::Value> {
    let node = &server.node;
    let shown = async |id: SdkAppId| {
        node.show_app(id).await.map(|view| serde_json::to_value(view).expect("a view is JSON"))
    };
    match ask {
        Ask::List => {
            let ids: Vec<SdkAppId> = node.apps().iter().map(|app| app.id()).collect();
            Ok(serde_json::json!({ "apps": ids }))
        }
        Ask::Create { sdkappid, secret } => {
            let id = sdkappid.map_or_else(|| free_id(server), SdkAppId);
            node.create_app(id, &secret.unwrap_or_else(random_secret)).await?;
            shown(id).await
        }
        Ask::Show { sdkappid } => shown(SdkAppId(sdkappid)).await,
        Ask::Set { sdkappid, changes } => {
            node.set_app(SdkAppId(sdkappid), &changes).await?;
            shown(SdkAppId(sdkappid)).await
        }
        Ask::Admin { sdkappid, account, add } => {
            let admin = UserId::parse(&account).map_err(|problem| refused(&problem.to_string()))?;
            node.set_admin(SdkAppId(sdkappid), &admin, add).await?;
            shown(SdkAppId(sdkappid)).await
        }
        Ask::Hooks { sdkappid, what } => hooks(node, SdkAppId(sdkappid), &what).await,
        Ask::Export { file } => export(server, file).await,
    }
}

async fn hooks(node: &Arc<Node>, app: SdkAppId, what: &HooksAsk) -> Outcome<serde_json::Value> {
    Ok(match what {
        HooksAsk::Status => serde_json::json!(node.hook_status(app).await?),
        HooksAsk::Log { dead, count } => {
            serde_json::json!({ "events": node.hook_log(app, *dead, *count).await? })
        }
        HooksAsk::Replay(which) => {
            serde_json::json!({ "replayed": node.replay_hooks(app, which).await? })
        }
    })
}

fn refused(info: &str) -> CoreFailure {
    use teahouse_proto::error::{Error, ErrorCode};
    CoreFailure::Refused(Error::with(ErrorCode::UrlParameterWrong, info.to_owned()))
}

fn free_id(server: &Server) -> SdkAppId {
    const FIRST: u32 = 1_400_000_000;
    let last = server.node.apps().last().map_or(0, |app| app.id().0);
    SdkAppId(last.saturating_add(1).max(FIRST))
}

async fn export(server: &std::sync::Arc<Server>, file: PathBuf) -> Outcome<serde_json::Value> {
    // What is only in memory for a second belongs to the copy too.
    server.node.save_all_marks().await;
    let store = server.store.clone();
    let exported = tokio::task::spawn_blocking(move || crate::transfer::export_to(&*store, &file));
    match exported.await {
        Ok(Ok(exported)) => {
            Ok(serde_json::json!({ "partitions": exported.partitions, "rows": exported.rows }))
        }
        Ok(Err(problem)) => Err(refused(&problem.0)),
        Err(panic) => Err(refused(&format!("the export failed: {panic}"))),
    }
}
