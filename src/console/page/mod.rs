//! The files that a browser loads, all of them in this binary, and the headers that keep them
//! to themselves.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

/// A page loads nothing from elsewhere, runs nothing that is not a file of its own, and stands
/// in no frame.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Declares the files that lie in `assets`.
macro_rules! assets {
    ($($path:literal: $kind:ident $file:literal,)*) => {
        [$(Asset::new($path, $kind, include_bytes!(concat!("assets/", $file))),)*]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    assets! {
        "/": HTML "index.html",
        "/page/page.css": CSS "page.css",
        "/page/icon.svg": SVG "icon.svg",
        "/page/page.js": JS "page.js",
        "/page/apps.js": JS "apps.js",
        "/page/calls.js": JS "calls.js",
        "/page/chart.js": JS "chart.js",
        "/page/charts.js": JS "charts.js",
        "/page/dom.js": JS "dom.js",
        "/page/events.js": JS "events.js",
        "/page/feed.js": JS "feed.js",
        "/page/format.js": JS "format.js",
        "/page/head.js": JS "head.js",
        "/page/history.js": JS "history.js",
        "/page/operate.js": JS "operate.js",
        "/page/table.js": JS "table.js",
        "/page/workers.js": JS "workers.js",
    }
    .into()
});

/// A file of the page.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    content_type: HeaderValue,
    content: Bytes,
    etag: HeaderValue,
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        let etag = format!("\"{:016x}\"", fingerprint(content));
        Self {
            path,
            content_type: HeaderValue::from_static(content_type),
            content: Bytes::from_static(content),
            etag: HeaderValue::from_str(&etag).expect("hexadecimal"),
        }
    }
}

/// The answer to a request for a file of the page; `None` if there is none at this path.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Bytes>> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let mut response = Response::new(Bytes::new());
    protect(response.headers_mut());
    if *method != Method::GET && *method != Method::HEAD {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    let own = response.headers_mut();
    own.insert(header::ETAG, asset.etag.clone());
    // A browser may keep it, and asks each time whether it is still the same.
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if has_same(headers, &asset.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response);
    }
    own.insert(header::CONTENT_TYPE, asset.content_type.clone());
    own.insert(header::CONTENT_LENGTH, asset.content.len().into());
    if *method == Method::GET {
        *response.body_mut() = asset.content.clone();
    }
    Some(response)
}

/// Adds the headers that every answer to a browser has, whatever it is about.
pub fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The head of a [feed](super::feed).
pub fn feed<T>(body: T) -> Response<T> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    protect(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep it until it has some KiB.
    let accel = HeaderName::from_static("x-accel-buffering");
    headers.insert(accel, HeaderValue::from_static("no"));
    response
}

/// Whether the browser has the file as it is.
fn has_same(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut tags = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes()
    })
}

/// FNV-1a: nobody but us chooses what is hashed.
fn fingerprint(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    fn get(path: &str) -> Response<Bytes> {
        answer(&Method::GET, path, &HeaderMap::new()).expect("an asset")
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_every_import_leads_to_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console/page/assets");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            format!("/page/{}", entry.expect("an entry").file_name().to_string_lossy())
        };
        let files: BTreeSet<_> = fs::read_dir(folder).expect("the folder").map(name).collect();
        let served: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        let only_there: Vec<_> = files.difference(&served).collect();
        assert_eq!(only_there, ["/page/index.html"], "which is at /");

        let scripts = ASSETS.iter().filter(|asset| asset.path.ends_with(".js"));
        for asset in scripts {
            let text = std::str::from_utf8(&asset.content).expect("text");
            let imports = text.lines().filter_map(|line| line.split_once(" from \"./"));
            for (_, rest) in imports {
                let target = format!("/page/{}", rest.trim_end_matches("\";"));
                assert!(served.contains(&target), "{} imports {target}", asset.path);
            }
        }
    }

    #[test]
    fn a_page_names_no_other_origin_and_holds_no_script_or_style() {
        for asset in ASSETS.iter() {
            let text = std::str::from_utf8(&asset.content).expect("text");
            let known = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!known.contains("://"), "{}", asset.path);
            for unsafe_use in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"] {
                assert!(!text.contains(unsafe_use), "{} uses {unsafe_use}", asset.path);
            }
        }
        let page = get("/");
        let html = std::str::from_utf8(page.body()).expect("text");
        for inline in ["<style", "style=", " on", "<script>"] {
            let found = html
                .split('<')
                .any(|tag| format!("<{tag}").split('>').next().unwrap_or("").contains(inline));
            assert!(!found, "{inline} in a tag");
        }
    }

    #[test]
    fn every_answer_has_the_strict_headers() {
        for path in ["/", "/page/page.js"] {
            let response = get(path);
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
            let policy = policy.expect("text");
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
        assert!(feed(()).headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let first = get("/page/page.css");
        assert_eq!(first.headers()[header::CONTENT_LENGTH], first.body().len().to_string());
        let etag = first.headers()[header::ETAG].to_str().expect("text").to_owned();
        for (known, status) in [
            (etag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"x\", W/{etag}"), StatusCode::NOT_MODIFIED),
            ("\"x\"".to_owned(), StatusCode::OK),
        ] {
            let value = HeaderValue::from_str(&known).expect("a value");
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]);
            let again = answer(&Method::GET, "/page/page.css", &headers).expect("an asset");
            assert_eq!(again.status(), status, "{known}");
            assert_eq!(again.body().is_empty(), status == StatusCode::NOT_MODIFIED);
        }
        assert_ne!(etag, get("/").headers()[header::ETAG].to_str().expect("text"));
    }

    #[test]
    fn other_methods_and_paths_get_nothing() {
        let none = HeaderMap::new();
        let head = answer(&Method::HEAD, "/", &none).expect("an asset");
        assert!(head.body().is_empty() && head.headers().contains_key(header::CONTENT_LENGTH));
        let post = answer(&Method::POST, "/", &none).expect("an asset");
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
        for path in ["/page/", "/page", "/page/../page.js", "/index.html", "/page/mod.rs"] {
            assert!(answer(&Method::GET, path, &none).is_none(), "{path}");
        }
    }
}
