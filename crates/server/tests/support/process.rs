//! The real binary in a process of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::DEADLINE;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_teahouse");

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `teahouse` with `arguments` to its end.
pub(crate) async fn run(arguments: &[&OsStr]) -> Ended {
    let mut command = Command::new(BINARY);
    let output = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(DEADLINE, output).await;
    let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end"));
    let output = output.unwrap_or_else(|problem| panic!("{BINARY}: {problem}"));
    let text = |bytes| String::from_utf8(bytes).expect("the binary writes UTF-8");
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The same for a command that has to succeed; what it wrote.
pub(crate) async fn succeed(arguments: &[&OsStr]) -> String {
    let ended = run(arguments).await;
    assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    data: PathBuf,
    log: PathBuf,
    process: Child,
    /// Kept open: the server may say more.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `teahouse serve` with `arguments` on a free port and waits until it is ready; `data` is
    /// its data directory, and its log is written beside that.
    pub(crate) async fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_with(data, arguments, &[]).await
    }

    /// The same, with these variables in its environment.
    pub(crate) async fn start_with(
        data: &Path,
        arguments: &[&str],
        environment: &[(&str, &Path)],
    ) -> Self {
        let log = data.with_extension("log");
        let stderr = File::create(&log).expect("the log can be made");
        let mut process = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|problem| panic!("{BINARY}: {problem}"));
        let mut stdout = BufReader::new(process.stdout.take().expect("standard output is piped"));
        let ready = timeout(DEADLINE, ready(&mut stdout)).await.ok().flatten();
        let read_log = || std::fs::read_to_string(&log).unwrap_or_default();
        let address = ready.unwrap_or_else(|| panic!("it does not get ready:\n{}", read_log()));
        Self { address, data: data.to_owned(), log, process, _stdout: stdout }
    }

    /// `teahouse ctl` with `arguments`, which has to succeed; what it wrote.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["ctl".as_ref(), "--data".as_ref(), self.data.as_os_str()];
        all.extend(arguments.iter().map(OsStr::new));
        succeed(&all).await
    }

    /// Asks it to stop (SIGTERM); [`Server::ended`] waits for that.
    pub(crate) async fn terminate(&self) {
        let id = self.process.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.expect("kill can be run").success(), "the server has ended by itself");
    }

    /// Waits for its end, which has to be in order: exit code 0 and no panic on the way.
    pub(crate) async fn ended(mut self) {
        let status = timeout(DEADLINE, self.process.wait()).await.expect("it ends when told to");
        let log = std::fs::read_to_string(&self.log).expect("the log can be read");
        assert!(status.expect("it can be waited for").success(), "it failed:\n{log}");
        assert!(!log.contains("panicked"), "something panicked:\n{log}");
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.terminate().await;
        self.ended().await;
    }
}

/// Reads the address from the line that says so; nothing if the output ends before.
async fn ready(stdout: &mut BufReader<ChildStdout>) -> Option<SocketAddr> {
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let said = line.trim_end();
        let address =
            said.strip_prefix("ready http://").or_else(|| said.strip_prefix("ready https://"));
        if let Some(address) = address {
            return address.parse().ok();
        }
    }
}
