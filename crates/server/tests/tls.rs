//! A server that speaks TLS itself: its clients, its operator, and certificates that do not work.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use support::client::{Device, Dial, Gateway};
use support::process::{self, Server};
use support::{App, DEADLINE};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const APP: App = App { id: 1_400_000_001, key: "the key of the app that speaks TLS" };

/// A directory with a new certificate for `localhost` and its key.
struct Files {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn make() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let files = Self { directory, certificate: cert.der().clone() };
        files.write("certificate.pem", &cert.pem());
        files.write("key.pem", &signing_key.serialize_pem());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file can be written");
    }

    /// A configuration file that names these two.
    fn config(&self, certificate: &Path, key: &Path) -> PathBuf {
        let text = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        self.write("teahouse.toml", &text);
        self.path("teahouse.toml")
    }

    async fn serve(&self) -> Server {
        let config = self.config(&self.path("certificate.pem"), &self.path("key.pem"));
        let config = config.to_str().expect("UTF-8");
        Server::start(&self.path("data"), &["--config", config, "--app", &APP.argument()]).await
    }

    /// A client that trusts this certificate and no other.
    fn dial(&self, server: &Server) -> Dial {
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(self.certificate.clone()).expect("a certificate that can be trusted");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Dial { address: server.address, tls: Some(Arc::new(config)) }
    }
}

#[tokio::test]
async fn clients_backends_and_operators_use_a_server_that_speaks_tls() {
    let files = Files::make();
    let server = files.serve().await;
    let dial = files.dial(&server);

    let accounts = json!({ "Accounts": ["alice", "bob"] });
    dial.rest_ok(APP, "im_open_login_svc/multiaccount_import", &accounts).await;

    let mut alice = Gateway::login(&dial, APP, Device::web("a"), "alice").await;
    let mut bob = Gateway::login(&dial, APP, Device::web("b"), "bob").await;
    let body = json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": "over TLS" } }]);
    let message = json!({ "From_Account": "alice", "To_Account": "bob", "MsgSeq": 1, "MsgRandom": 1, "MsgBody": body });
    alice.ask_ok("openim.sendmsg", &message).await;
    let pushed = bob.next().await.expect("a push");
    assert!(pushed.body.to_string().contains("over TLS"), "{pushed:?}");

    assert_eq!(server.ctl(&["app", "list"]).await.trim(), APP.id.to_string());
    server.ctl(&["app", "set", &APP.id.to_string(), "login.policy=multi"]).await;
    let shown = server.ctl(&["app", "show", &APP.id.to_string()]).await;
    assert!(shown.contains("login.policy=multi"), "{shown}");

    alice.close().await;
    bob.close().await;
    server.stop().await;
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed_without_an_answer_and_harms_nobody() {
    let files = Files::make();
    let server = files.serve().await;

    let mut plain = TcpStream::connect(server.address).await.expect("a connection");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let ended = timeout(DEADLINE, plain.read_to_end(&mut answer)).await;
    // Closed or reset: both tell the client that it is wrong here.
    let _ = ended.expect("the server closes the connection");
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));

    // Somebody who connects and says nothing keeps nobody waiting.
    let silent = TcpStream::connect(server.address).await.expect("a connection");
    let (status, text) = files.dial(&server).http("GET", "/healthz", String::new()).await;
    assert_eq!((status, text.as_str()), (200, "ok\n"));
    drop(silent);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_gets_no_connection() {
    let files = Files::make();
    let server = files.serve().await;
    let refused = Files::make().dial(&server).socket().await.err().expect("no connection");
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn certificates_that_do_not_work_are_one_sentence_and_a_failure() {
    let files = Files::make();
    let other = Files::make();
    files.write("empty.pem", "");
    files.write("words.pem", "this is not a certificate\n");
    let [certificate, key, missing, empty, words] =
        ["certificate.pem", "key.pem", "missing.pem", "empty.pem", "words.pem"]
            .map(|name| files.path(name));
    let foreign = other.path("key.pem");
    let named = |path: &Path| path.display().to_string();
    let does_not_work = "the TLS certificate does not work".to_owned();
    for (certificate, key, said) in [
        (&missing, &key, named(&missing)),
        (&certificate, &missing, named(&missing)),
        (&empty, &key, does_not_work.clone()),
        (&words, &key, does_not_work.clone()),
        (&certificate, &words, named(&words)),
        (&certificate, &certificate, named(&certificate)),
        (&certificate, &foreign, does_not_work),
    ] {
        let config = files.config(certificate, key);
        let data = files.path("data");
        let ended = process::run(&[
            "serve".as_ref(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
        ])
        .await;
        let told = &ended.stderr;
        assert_eq!(ended.status.code(), Some(1), "{certificate:?} {key:?}: {told}");
        assert!(told.starts_with("teahouse: ") && told.contains(&said), "{said}: {told}");
        assert_eq!(told.lines().count(), 1, "one sentence: {told}");
        assert_eq!(ended.stdout, "");
        assert!(!data.exists(), "the data is not touched");
    }
}

/// An https endpoint for webhooks with this certificate, which serves only who shows the same one and refuses every
/// message with a code of its own.
async fn endpoint(files: &Files) -> u16 {
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(files.certificate.clone()).expect("a certificate that can be trusted");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let shown =
        WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider.clone()).build();
    let key = PrivateKeyDer::from_pem_file(files.path("key.pem")).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS")
        .with_client_cert_verifier(shown.expect("a verifier"))
        .with_single_cert(vec![files.certificate.clone()], key)
        .expect("they fit together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let body = r#"{"ActionStatus":"FAIL","ErrorCode":120001,"ErrorInfo":"over TLS"}"#;
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length";
            let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
            let mut request = [0; 4096];
            if socket.read(&mut request).await.is_ok() {
                // Who has gone away needs no answer.
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        }
    });
    port
}

#[tokio::test]
async fn webhooks_go_over_tls_to_whom_the_machine_trusts_and_show_a_certificate() {
    let files = Files::make();
    let port = endpoint(&files).await;
    let certificate = files.path("certificate.pem");
    let both: String = ["certificate.pem", "key.pem"]
        .map(|name| std::fs::read_to_string(files.path(name)).expect("a file"))
        .concat();
    files.write("both.pem", &both);
    let trust = [("SSL_CERT_FILE", &*certificate)];
    let app = APP.argument();
    let server = Server::start_with(&files.path("data"), &["--app", &app], &trust).await;
    let dial = Dial::plain(server.address);
    dial.rest_ok(APP, "im_open_login_svc/account_import", &json!({ "UserID": "bob" })).await;
    let (id, url) = (APP.id.to_string(), format!("webhook.url=https://localhost:{port}/"));
    let settings = ["webhook.commands=all", "webhook.refuse_on_failure=all"];
    let private = "webhook.allow_private=on";
    server.ctl(&["app", "set", &id, &url, settings[0], settings[1], private]).await;
    let body = json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": "hi" } }]);
    let message = json!({ "To_Account": "bob", "MsgRandom": 1, "MsgBody": body });
    let bare = dial.rest(APP, "openim/sendmsg", &message).await;
    assert_eq!(bare["ErrorCode"], 80_003, "nothing is shown: {bare}");
    let shown = format!("webhook.client_certificate={}", files.path("both.pem").display());
    server.ctl(&["app", "set", &id, &shown]).await;
    let asked = dial.rest(APP, "openim/sendmsg", &message).await;
    assert_eq!((&asked["ErrorCode"], &asked["ErrorInfo"]), (&json!(120_001), &json!("over TLS")));
    let elsewhere = format!("webhook.url=https://127.0.0.1:{port}/");
    server.ctl(&["app", "set", &id, &elsewhere]).await;
    let unnamed = dial.rest(APP, "openim/sendmsg", &message).await;
    assert_eq!(unnamed["ErrorCode"], 80_003, "the certificate names another host: {unnamed}");
    server.stop().await;
}
