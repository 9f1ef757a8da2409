//! The configuration file: what a node needs to know before it runs. What an app may change while it
//! runs is a setting of the app instead.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::Failure;
use crate::cli::ServeArgs;

/// A node's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of the data.
    pub data: PathBuf,
    /// Address for everything.
    pub listen: SocketAddr,
    /// Threads with sockets; one a core if 0.
    pub shards: usize,
    /// This node's number, 0 to 1023.
    pub node_number: u16,
    /// What to log, for example `info` or `teahouse_core=debug`.
    pub log: String,
    /// Log lines as JSON.
    pub log_json: bool,
    /// How long one REST call may take before it is answered with 60008, milliseconds.
    pub rest_timeout_ms: u64,
    /// Largest REST body, bytes.
    pub rest_body_bytes_max: usize,
    /// Largest gateway frame, bytes.
    pub frame_bytes_max: usize,
    /// Requests of one connection that may be under way; more are read when one is done.
    pub requests_in_flight_max: usize,
    /// How long a stopping server waits for what is under way, milliseconds.
    pub drain_timeout_ms: u64,
    /// Certificates, if this server is to speak TLS itself.
    pub tls: Option<Tls>,
}

/// Certificate files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            shards: 0,
            node_number: 1,
            log: "info,fjall=warn,lsm_tree=warn".to_owned(),
            log_json: false,
            rest_timeout_ms: 3_000,
            rest_body_bytes_max: 1024 * 1024,
            frame_bytes_max: 256 * 1024,
            requests_in_flight_max: 64,
            drain_timeout_ms: 10_000,
            tls: None,
        }
    }
}

impl Config {
    /// The file that `args` name (or none), with the flags over it.
    ///
    /// # Errors
    /// The file cannot be read or says something unknown.
    pub fn load(args: &ServeArgs) -> Result<Self, Failure> {
        let mut config = match &args.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        if let Some(data) = &args.data {
            config.data.clone_from(data);
        }
        if let Some(listen) = args.listen {
            config.listen = listen;
        }
        if config.node_number > 1023 {
            return Err(Failure::new("node_number ends at 1023"));
        }
        Ok(config)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|problem| Failure(format!("{} cannot be read: {problem}", path.display())))?;
        toml::from_str(&text)
            .map_err(|problem| Failure(format!("{} is not valid: {problem}", path.display())))
    }

    /// How long one REST call may take.
    pub fn rest_timeout(&self) -> Duration {
        Duration::from_millis(self.rest_timeout_ms)
    }

    /// How long a stopping server waits.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }

    /// Threads with sockets.
    pub fn shard_count(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            shards => shards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_say_anything_that_is_known_and_nothing_else() {
        let config: Config =
            toml::from_str("shards = 3\n[tls]\ncertificate='c'\nkey='k'").expect("valid");
        assert_eq!((config.shards, config.rest_timeout_ms), (3, 3_000));
        assert!(toml::from_str::<Config>("shard = 3").is_err());
        assert!(toml::from_str::<Config>("[tls]\ncertificate='c'").is_err());
    }
}
