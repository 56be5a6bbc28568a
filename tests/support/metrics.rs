//! Reading `/metrics`.

use std::{collections::BTreeMap, path::Path};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// The samples of a scrape: each series, as it is written, with its value.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// The whole text.
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Samples {
    /// The samples of a text.
    pub fn of(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        };
        let samples = lines.map(sample).collect();
        Self { text, samples }
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// The series.
    pub fn series(&self) -> impl Iterator<Item = (&str, f64)> {
        self.samples.iter().map(|(series, value)| (series.as_str(), *value))
    }

    /// The value of a series, as it is written; 0 if it is not there.
    pub fn value(&self, series: &str) -> f64 {
        self.samples.get(series).copied().unwrap_or(0.0)
    }

    /// The sum of a metric over the series whose labels have all of these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &str, (label, value): &(&str, &str)| {
            series.contains(&format!("{label}=\"{value}\""))
        };
        let is_of = |series: &str| {
            series.split('{').next() == Some(name) && labels.iter().all(|label| has(series, label))
        };
        self.series().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
    }
}

/// The answer to a GET on a Unix socket: the status, the head and the body.
pub async fn get(socket: &Path, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = UnixStream::connect(socket).await.expect("connect");
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}
