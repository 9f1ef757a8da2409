//! The server under test: one that already runs, or this program's own `serve` as a child.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::broadcast::BroadcastArgs;
use crate::cli::{AppKey, Common};
use crate::client::Target;
use crate::error::BenchError;
use crate::load::FrameBytes;
use crate::process::{Observed, ServerProcess};

/// A server to send load to, and where its figures come from. Dropping it stops a server that was
/// started here and removes its data.
pub(crate) struct UnderTest {
    /// How to reach it.
    pub(crate) target: Target,
    /// What can be seen of it.
    pub(crate) observed: Observed,
    _process: Option<ServerProcess>,
    _data: Option<TempDir>,
}

/// Makes the folder for the data of one server, where the flags say.
pub(crate) fn data_folder(common: &Common) -> Result<TempDir, BenchError> {
    let root = common.data_root.clone().unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new()
        .prefix("teahouse-bench-")
        .tempdir_in(&root)
        .map_err(BenchError::io(format!("make a folder in {}", root.display())))
}

/// Starts `serve` on the data in `folder`, for `app`, on a private port.
pub(crate) fn serve(folder: &Path, app: &AppKey) -> Result<ServerProcess, BenchError> {
    let data = folder.join("data");
    let arguments = [
        "serve",
        "--data",
        &data.to_string_lossy(),
        "--listen",
        "127.0.0.1:0",
        "--app",
        &app.to_string(),
    ];
    ServerProcess::start(&arguments.map(str::to_owned), &folder.join("server.log"))
}

/// What can be seen of a server that was started here.
pub(crate) fn observe(process: &ServerProcess, folder: &Path) -> Observed {
    Observed {
        pid: Some(process.pid()),
        data: Some(folder.join("data")),
        metrics: Some(process.addr),
    }
}

impl UnderTest {
    /// The server that the flags name, or a new one.
    pub(crate) fn new(common: &Common) -> Result<Self, BenchError> {
        match common.server {
            Some(addr) => Self::running(common, addr),
            None => Self::child(common),
        }
    }

    fn running(common: &Common, addr: SocketAddr) -> Result<Self, BenchError> {
        let Some(app) = &common.app else {
            return Err(BenchError::Usage("--server needs --app SDKAPPID:SECRET".to_owned()));
        };
        let observed = Observed {
            pid: common.server_pid,
            data: common.server_data.clone(),
            metrics: Some(addr),
        };
        Ok(Self { target: app.target(addr), observed, _process: None, _data: None })
    }

    fn child(common: &Common) -> Result<Self, BenchError> {
        let data = data_folder(common)?;
        let app = common.app_or_default();
        let process = serve(data.path(), &app)?;
        Ok(Self {
            target: app.target(process.addr),
            observed: observe(&process, data.path()),
            _process: Some(process),
            _data: Some(data),
        })
    }

    /// The broadcasting server of the ceiling.
    pub(crate) fn broadcast(
        common: &Common,
        broadcast: &BroadcastArgs,
    ) -> Result<Self, BenchError> {
        Self::bench(common, broadcast.arguments())
    }

    /// The raw server, with frames of these sizes.
    pub(crate) fn raw(common: &Common, bytes: FrameBytes) -> Result<Self, BenchError> {
        let arguments = [
            "raw-server".to_owned(),
            format!("--ack-bytes={}", bytes.ack),
            format!("--push-bytes={}", bytes.push),
        ];
        Self::bench(common, arguments)
    }

    /// A server of this crate's own.
    fn bench(
        common: &Common,
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Self, BenchError> {
        let data = data_folder(common)?;
        let arguments: Vec<_> = std::iter::once("bench".to_owned()).chain(arguments).collect();
        let log: PathBuf = data.path().join("raw.log");
        let process = ServerProcess::start(&arguments, &log)?;
        let observed = Observed { pid: Some(process.pid()), ..Observed::default() };
        let target = common.app_or_default().target(process.addr);
        Ok(Self { target, observed, _process: Some(process), _data: Some(data) })
    }

    /// Changes settings of the app, `name=value` each, with this program's own `ctl`.
    pub(crate) fn set(&self, changes: &[String]) -> Result<(), BenchError> {
        let Some(data) = &self.observed.data else {
            let why = "this workload changes settings: it needs --server-data beside --server";
            return Err(BenchError::Usage(why.to_owned()));
        };
        control(data, &self.target, changes)
    }
}

/// Changes settings of the app of a server on the data in `data`; see [`UnderTest::set`].
pub(crate) fn control(data: &Path, target: &Target, changes: &[String]) -> Result<(), BenchError> {
    let program =
        std::env::current_exe().map_err(BenchError::io("find this program's own file"))?;
    let ended = Command::new(program)
        .args(["ctl", "--data"])
        .arg(data)
        .args(["app", "set", &target.app.to_string()])
        .args(changes)
        .output()
        .map_err(BenchError::io("run ctl"))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(BenchError::refused("ctl app set", &ended.stderr))
}
