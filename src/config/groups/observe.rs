//! What operators see: metrics and the page, the access log, traces.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::log::LogFormat;
use crate::config::{
    declare::keys,
    rules::upgrade,
    slot::Slot,
    units::{Part, Seconds},
    value::choice,
};

/// What operators see.
#[derive(Debug, Clone, PartialEq)]
pub struct Observe {
    /// Where metrics, health and the page are served beside the socket.
    pub listen: Option<ObserveAddress>,
    /// Whether the page may also operate.
    pub operate: bool,
    /// The file with the token that whoever uses the page must know.
    pub token_file: Option<PathBuf>,
    /// One line for each call.
    pub access_log: AccessLogConfig,
    /// Where traces and metrics are sent.
    pub otlp: Option<OtlpConfig>,
}

/// Where metrics, health and the page are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObserveAddress {
    /// An address of this machine's loopback.
    Loopback(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// One line for each call.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLogConfig {
    /// Which calls have a line.
    pub calls: AccessLog,
    /// The file to append to; the log if unset.
    pub file: Option<PathBuf>,
    /// One line of text or one JSON object per call.
    pub format: LogFormat,
    /// How long a call takes that has a line whatever else is said.
    pub slow: Option<Duration>,
    /// The part of the calls with a result that have one, from 0 to 1.
    pub sample: f64,
}

/// Which calls have a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that fail.
    Errors,
    /// All.
    All,
}

choice!(AccessLog: "\"off\", \"errors\" or \"all\"", "off" => Off, "errors" => Errors, "all" => All);

/// Where traces and metrics are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpConfig {
    /// The URL of the collector.
    pub endpoint: String,
    /// How they are sent.
    pub protocol: OtlpProtocol,
    /// The part of the calls whose callers do not decide it that is traced, from 0 to 1.
    pub trace_sample: f64,
    /// How often metrics are sent; zero for never.
    pub metrics_interval: Duration,
}

/// How traces and metrics are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

choice!(OtlpProtocol: "\"grpc\" or \"http\"", "grpc" => Grpc, "http" => Http);

keys! {
    /// What operators see.
    pub struct Observed {
        /// where metrics, health and the live page are served beside the socket: an address of
        /// the loopback, or a path, for a Unix socket with the mode of `socket`
        listen: String, upgrade().unset("nowhere").check(|address: &String| checked(address));
        /// whether the page may restart workers and cancel calls; it needs a Unix socket or
        /// `token_file`
        operate: bool = false, upgrade();
        /// a file with a token of 16 characters or more, which whoever comes to `listen` must
        /// know: as a bearer, or as the password in a browser
        token_file: PathBuf, upgrade().unset("no token");
        /// which calls have a line in the access log: `"off"`, `"errors"` or `"all"`
        access_log: AccessLog = AccessLog::Off, upgrade();
        /// the file of the access log; USR1 opens it again
        access_log_file: PathBuf, upgrade().unset("the log");
        /// `"text"` for people, `"json"` for machines
        access_log_format: LogFormat, upgrade().unset("`log_format`");
        /// how long a call takes that has a line in the access log whatever `access_log` says
        slow: Seconds, upgrade().unset("none is slow");
        /// the part of the calls with a result that have a line, from `0.0` to `1.0`
        access_log_sample: Part = Part(1.0), upgrade();
        /// the OTLP collector to which traces and metrics are sent, such as
        /// `"http://127.0.0.1:4317"`
        otlp_endpoint: String, upgrade().unset("nothing is sent").check(|url: &String| is_url(url));
        /// how they are sent: `"grpc"`, or `"http"` for protobuf over HTTP
        otlp_protocol: OtlpProtocol = OtlpProtocol::Grpc, upgrade();
        /// the part of the calls without a `traceparent` that is traced, from `0.0` to `1.0`; where
        /// there is one, it decides
        trace_sample: Part = Part(0.0), upgrade();
        /// how often metrics are sent to the collector; `0` for never
        otlp_metrics_interval: Seconds = Seconds::of(60), upgrade();
    }
}

impl Observed {
    /// The same with paths that mean the same from anywhere.
    #[must_use]
    pub fn located(mut self, base: &Path) -> Self {
        if let Some(ObserveAddress::Unix(path)) = self.listen.value.as_deref().map(address) {
            self.listen.value = Some(base.join(path).to_string_lossy().into_owned());
        }
        let at_base = |slot: Slot<PathBuf>| slot.map_value(|path| base.join(path));
        self.token_file = at_base(self.token_file);
        self.access_log_file = at_base(self.access_log_file);
        self
    }

    /// What the keys mean beside those of the log.
    pub fn meaning(&self, format: LogFormat) -> Observe {
        Observe {
            listen: self.listen.value.as_deref().map(address),
            operate: self.operate(),
            token_file: self.token_file.value.clone(),
            access_log: AccessLogConfig {
                calls: self.access_log(),
                file: self.access_log_file.value.clone(),
                format: self.access_log_format.value.unwrap_or(format),
                slow: self.slow.value.map(|slow| slow.0),
                sample: self.access_log_sample().0,
            },
            otlp: self.otlp_endpoint.value.clone().map(|endpoint| OtlpConfig {
                endpoint,
                protocol: self.otlp_protocol(),
                trace_sample: self.trace_sample().0,
                metrics_interval: self.otlp_metrics_interval().0,
            }),
        }
    }

    /// Whether the page may operate although anybody on this machine can reach it.
    pub fn operates_openly(&self) -> bool {
        let is_unix = self
            .listen
            .value
            .as_deref()
            .is_some_and(|text| matches!(address(text), ObserveAddress::Unix(_)));
        self.operate() && !is_unix && self.token_file.value.is_none()
    }
}

/// What is no address of the network is a path.
fn address(text: &str) -> ObserveAddress {
    match text.parse() {
        Ok(address) => ObserveAddress::Loopback(address),
        Err(_) => ObserveAddress::Unix(PathBuf::from(text)),
    }
}

fn checked(text: &str) -> Result<(), String> {
    match address(text) {
        ObserveAddress::Loopback(address) if !address.ip().is_loopback() => Err(format!(
            "`{address}` can be reached from other machines; listen on 127.0.0.1, [::1] or a Unix socket, and let a proxy that knows who comes pass requests on"
        )),
        ObserveAddress::Loopback(_) => Ok(()),
        ObserveAddress::Unix(path) if path.as_os_str().is_empty() => {
            Err("it is empty; give an address or a path".to_owned())
        }
        ObserveAddress::Unix(path) if !text.contains('/') && text.contains(':') => Err(format!(
            "`{}` is neither an address such as \"127.0.0.1:9464\" nor a path; names of hosts are not looked up",
            path.display()
        )),
        ObserveAddress::Unix(_) => Ok(()),
    }
}

fn is_url(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("http://").unwrap_or_default();
    match host.is_empty() || host.starts_with('/') || !host.bytes().all(|b| b.is_ascii_graphic()) {
        true => Err(format!(
            "`{url}` is no URL of a collector; write it like \"http://127.0.0.1:4317\""
        )),
        false => Ok(()),
    }
}
