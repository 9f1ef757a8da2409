//! The page at `/`: files that npm has built, inside this binary.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use rust_embed::{Embed, EmbeddedFile};

use crate::http::{self, Answer};

#[derive(Embed)]
#[folder = "../../web/try/dist"]
struct Files;

/// Scripts and styles come from here only; the page talks to the server that it comes from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
     connect-src 'self' ws: wss:; img-src 'self' data:";
/// Names below `/assets/` contain a hash of what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// May be kept, but has to be asked for.
const ASK_FIRST: &str = "no-cache";

const WELCOME: &str = "This is Teahouse, an open chat cloud.\n\
    REST: POST /v4/{service}/{command}   gateway: /binfo, /info   /metrics /healthz /readyz\n";
const NOT_BUILT: &str =
    "A page to try it out is built by `make web`; then build the binary again.\n";

/// The page itself, or a few words where it was not built.
pub(crate) fn index(asked: &HeaderMap) -> Answer {
    match Files::get("index.html") {
        Some(file) => answer("index.html", file, ASK_FIRST, asked),
        None => http::text(StatusCode::OK, format!("{WELCOME}{NOT_BUILT}")),
    }
}

/// One of its files: `name` begins with `assets/`.
pub(crate) fn asset(name: &str, asked: &HeaderMap) -> Answer {
    match Files::get(name) {
        Some(file) => answer(name, file, FOR_EVER, asked),
        None => http::text(StatusCode::NOT_FOUND, "there is no such file\n"),
    }
}

fn answer(name: &str, file: EmbeddedFile, keep: &'static str, asked: &HeaderMap) -> Answer {
    let tag = entity_tag(&file.metadata.sha256_hash());
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let mut answer = if is_known {
        http::typed(StatusCode::NOT_MODIFIED, media_type(name), Bytes::new())
    } else {
        http::typed(StatusCode::OK, media_type(name), bytes(file.data))
    };
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes");
    let fixed: [(HeaderName, HeaderValue); 5] = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    answer.headers_mut().extend(fixed);
    answer
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

/// Half of a SHA-256 is more than enough to tell versions of a file apart.
fn entity_tag(hash: &[u8; 32]) -> String {
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(data: &'static [u8]) -> EmbeddedFile {
        let metadata = rust_embed::Metadata::__rust_embed_new([7; 32], None, None);
        EmbeddedFile { data: Cow::Borrowed(data), metadata }
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let first = answer("a.js", file(b"tea"), FOR_EVER, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(first.headers()[header::CACHE_CONTROL], FOR_EVER);
        let tag = first.headers()[header::ETAG].clone();
        assert_eq!(tag, format!("\"{}\"", "07".repeat(16)).as_str());
        for (known, status) in [(tag, 304), (HeaderValue::from_static("\"other\""), 200)] {
            let asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, known)]);
            assert_eq!(answer("a.js", file(b"tea"), FOR_EVER, &asked).status(), status);
        }
    }

    #[test]
    fn names_outside_the_page_lead_to_nothing() {
        for name in ["assets/../index.html", "assets/../../package.json", "assets/", "assets/no"] {
            assert_eq!(asset(name, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
