//! The good client, a process of its own: one call after another, on a new connection
//! every now and then.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use dirtyd_client::{Client, args};

use crate::siege::again;

/// Its user, who is no operator.
const GOOD: u32 = 65_533;
/// The time between two calls.
const PAUSE: Duration = Duration::from_millis(2);
/// How many calls share a connection.
const SHARED: u32 = 20;

/// What it saw.
#[derive(Debug, Default)]
pub struct Good {
    /// How long each call took, in order of length.
    pub waited: Vec<Duration>,
    /// Why calls failed.
    pub failed: Vec<String>,
}

impl Good {
    /// The time within which this part of the calls ended, in percent.
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = (self.waited.len() * percent / 100).min(self.waited.len().saturating_sub(1));
        self.waited.get(at).copied().unwrap_or_default()
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        self.waited.last().copied().unwrap_or_default()
    }
}

/// Starts one, and waits for its end.
pub async fn measure(socket: PathBuf, time: Duration) -> Good {
    let mut command = again(GOOD);
    command.arg("good").arg(socket).arg(time.as_millis().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
    let output = output.await.expect("no panic");
    assert!(output.status.success(), "{output:?}");
    let mut good = Good::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.parse() {
            Ok(micros) => good.waited.push(Duration::from_micros(micros)),
            Err(_) => good.failed.push(line.to_owned()),
        }
    }
    good.waited.sort();
    good
}

/// Calls for so long, and prints what came of each call: microseconds, or the error.
pub async fn run(socket: &Path, time: Duration) {
    let until = Instant::now() + time;
    let mut client = Client::connect(socket);
    for number in 0.. {
        if Instant::now() >= until {
            return;
        }
        if number % SHARED == 0 {
            client = Client::connect(socket);
        }
        let begun = Instant::now();
        match client.execute("lab:Lab", "echo", args![i64::from(number)]).await {
            Ok(_) => println!("{}", begun.elapsed().as_micros()),
            Err(error) => println!("{}", error.to_string().replace('\n', " ")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
