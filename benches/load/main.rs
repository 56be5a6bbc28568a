//! The native load generator of the benchmarks. It calls one system from one
//! thread, so that on a small machine the load itself costs little, and prints
//! what it measured as one line of JSON.

mod floor;
mod http;
mod measure;
mod pace;
mod replay;
mod target;

use std::{io::Read as _, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use dirtyd_client::Value;

use target::{Ask, Target};

#[derive(Parser)]
struct Load {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Callers that each make one call after the other
    Calls(Calls),
    /// Readers that each read one stream after the other
    Streams(Calls),
    /// Streams that are opened, read once and then left alone, until stdin ends
    Hold(Calls),
    /// One stream that is read to its end beside others of the same connection
    Paced {
        #[command(flatten)]
        calls: Calls,
        /// Streams that are read as fast as they come
        #[arg(long, default_value_t = 0)]
        flooding: usize,
        /// Streams that are read once and then left alone
        #[arg(long, default_value_t = 0)]
        unread: usize,
    },
    /// The floor: two processes pass a message back and forth over a socketpair
    Pingpong {
        #[arg(long, default_value_t = 100)]
        size: usize,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// The other process, instead of this program; it gets the descriptor's number
        #[arg(long, num_args = 1.., allow_hyphen_values = true)]
        peer: Vec<String>,
    },
    /// The other process of `pingpong`
    Pong { fd: i32, size: usize },
    /// The floor: a tonic server that answers with the first argument itself
    TonicEcho { socket: PathBuf },
}

/// What to load, and how.
#[derive(Args)]
struct Calls {
    /// dirtyd:SOCKET, replay:SOCKET:FILE or http:ADDRESS:PATH
    target: Target,
    #[arg(long, default_value_t = 1)]
    callers: usize,
    /// Connections that the callers share, where a system can share them
    #[arg(long, default_value_t = 1)]
    connections: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// So much of the time at the start is not counted
    #[arg(long, default_value_t = 0.2)]
    warmup: f64,
    /// Exactly this number of calls, instead of a time
    #[arg(long)]
    calls: Option<usize>,
    #[arg(long, default_value = "bench:Bench")]
    app: String,
    #[arg(long, default_value = "echo")]
    action: String,
    /// Integer arguments
    #[arg(long = "int")]
    ints: Vec<i64>,
    /// A last argument of this size in bytes
    #[arg(long)]
    size: Option<usize>,
}

impl Calls {
    fn ask(&self) -> Ask {
        let ints = self.ints.iter().map(|int| Value::from(*int));
        let bytes = self.size.map(|size| Value::Bytes(vec![0x5a; size].into()));
        let args = ints.chain(bytes).collect();
        Ask { app: self.app.clone(), action: self.action.clone(), args }
    }

    fn limit(&self) -> measure::Limit {
        match self.calls {
            Some(calls) => measure::Limit::Calls(calls),
            None => measure::Limit::Time {
                warmup: Duration::from_secs_f64(self.warmup),
                counted: Duration::from_secs_f64(self.seconds),
            },
        }
    }
}

fn main() -> anyhow::Result<()> {
    let command = Load::parse().command;
    match command {
        Command::Pong { fd, size } => return floor::pong(fd, size),
        Command::Pingpong { size, seconds, peer } => {
            println!("{}", floor::ping(size, Duration::from_secs_f64(seconds), &peer)?);
            return Ok(());
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Calls(calls) => {
                let callers = calls.target.callers(calls.callers, calls.connections, calls.ask());
                println!("{}", measure::calls(callers.await?, calls.limit()).await);
            }
            Command::Streams(calls) => {
                let callers = calls.target.callers(calls.callers, calls.connections, calls.ask());
                println!("{}", measure::streams(callers.await?, calls.limit()).await);
            }
            Command::Hold(calls) => {
                let callers = calls.target.callers(calls.callers, calls.connections, calls.ask());
                let held = target::hold(callers.await?).await?;
                println!("{}", held.len());
                tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
                    .await??;
                // Whether they were alive to the end is part of the measurement.
                std::process::exit(0);
            }
            Command::Paced { calls, flooding, unread } => {
                let beside = pace::Beside { flooding, unread };
                println!("{}", pace::read(&calls.target, calls.ask(), beside).await?);
            }
            Command::TonicEcho { socket } => floor::serve_tonic_echo(&socket).await?,
            Command::Pong { .. } | Command::Pingpong { .. } => unreachable!("handled above"),
        }
        anyhow::Ok(())
    })
}
