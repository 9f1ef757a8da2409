//! The real server in a process of its own, with one app for each case.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Duration, timeout};

use crate::client::Http;

const BINARY: &str = env!("CARGO_BIN_EXE_teahouse");

/// For the start, which creates all apps, and for one call of the command line.
const DEADLINE: Duration = Duration::from_secs(120);

/// Lines of the server's log that a report shows.
const REPORTED_LINES_MAX: usize = 30;

/// An app that only one case uses.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: u32,
    pub(crate) secret: String,
}

impl App {
    /// The app of the case with this number.
    pub(crate) fn of_case(number: usize) -> Self {
        let id = 1_400_000_001 + u32::try_from(number).expect("fewer than billions of cases");
        Self { id, secret: format!("{id:064x}") }
    }
}

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) http: Http,
    process: Child,
    directory: TempDir,
}

impl Server {
    /// Starts a server that has `apps`, and waits until it accepts connections.
    pub(crate) async fn start(apps: &[App]) -> Result<Self, String> {
        let directory = TempDir::new().map_err(|error| format!("temporary directory: {error}"))?;
        let log = File::create(directory.path().join("stderr")).map_err(|e| e.to_string())?;
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(directory.path().join("data"));
        for App { id, secret } in apps {
            command.args(["--app", &format!("{id}:{secret}")]);
        }
        command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut process = command.spawn().map_err(|error| format!("{BINARY}: {error}"))?;
        let address = timeout(DEADLINE, ready(&mut process))
            .await
            .unwrap_or_else(|_| Err("it is not ready in time".to_owned()));
        let log = directory.path().join("stderr");
        let address = address.map_err(|problem| format!("serve: {problem}\n{}", tail(&log)))?;
        Ok(Self { address, http: Http::new(address), process, directory })
    }

    /// Changes a setting: `name=value`.
    pub(crate) async fn set(&self, app: &App, setting: &str) -> Result<(), String> {
        self.ctl(&["app", "set", &app.id.to_string(), setting]).await
    }

    /// Makes an account an administrator.
    pub(crate) async fn add_admin(&self, app: &App, account: &str) -> Result<(), String> {
        self.ctl(&["app", "admin", &app.id.to_string(), "add", account]).await
    }

    async fn ctl(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(BINARY);
        command.args(["ctl", "--data"]).arg(self.directory.path().join("data")).args(arguments);
        let said = |problem: String| format!("ctl {}: {problem}", arguments.join(" "));
        let output = timeout(DEADLINE, command.kill_on_drop(true).output())
            .await
            .map_err(|_| said("no end in time".to_owned()))?
            .map_err(|error| said(error.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(said(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// Why the server cannot be called healthy after the cases: it ended, or something in it panicked.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        let log = self.log();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let ended = match self.process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("the server ended: {status}\n{}", tail(&log))),
            Err(error) => Some(format!("the server cannot be waited for: {error}")),
        };
        ended.or_else(|| {
            let panic = text.lines().find(|line| line.contains("panicked"))?;
            Some(format!("something in the server panicked: {panic}\n{}", tail(&log)))
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("stderr")
    }
}

/// Reads the address from the line that says so.
async fn ready(process: &mut Child) -> Result<SocketAddr, String> {
    let stdout = process.stdout.take().ok_or("its standard output is not piped")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        if let Some(address) = line.strip_prefix("ready http://") {
            return address.trim_end_matches('/').parse().map_err(|e| format!("{line}: {e}"));
        }
    }
    Err("it ended before it was ready".to_owned())
}

fn tail(log: &std::path::Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(REPORTED_LINES_MAX)..].join("\n")
}
