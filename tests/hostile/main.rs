//! Hostile days: an attacker with all its strength, and beside it a good client of
//! another user. For each attack: what the good client had to wait, whether it was
//! ever refused, and the arbiter's memory before, at the peak and after.
//!
//! ```text
//!   hostile                      a short form, whose outcomes are judged
//!   hostile --full               every attack for 10 s; its times are judged, too
//!   hostile --full --only NAME   this one alone
//!   hostile --full --write FILE  puts the table into a page, between its marks
//!   hostile --full --only NAME --write FILE   puts its rows into that table
//!   hostile --only NAME          its short form
//!   hostile attack NAME SOCKET DIVISOR   the attacker, a process of its own
//!   hostile good SOCKET MILLISECONDS     the good client, another one
//! ```
//!
//! Without root there is only one user: then nothing is judged but that calls end.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other test binaries use the rest")]
mod support;

mod attacks;
mod blows;
mod good;
mod report;
mod siege;

use std::{env, fs, process::ExitCode, time::Duration};

use attacks::ATTACKS;
use report::Row;
use siege::Siege;

/// How long and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// How long the good client works beside an attack.
    pub time: Duration,
    /// Of this number of connections, requests or workers only a part.
    pub divisor: usize,
    /// Whether times are judged.
    pub judges_times: bool,
}

const SHORT: Scale = Scale { time: Duration::from_millis(1500), divisor: 10, judges_times: false };
const FULL: Scale = Scale { time: Duration::from_secs(10), divisor: 1, judges_times: true };

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match arguments.as_slice() {
        ["attack", name, socket, divisor] => {
            let divisor = divisor.parse().expect("a number");
            runtime.block_on(attacks::run(name, socket.as_ref(), divisor));
            ExitCode::SUCCESS
        }
        ["good", socket, time] => {
            let time = Duration::from_millis(time.parse().expect("a number"));
            runtime.block_on(good::run(socket.as_ref(), time));
            ExitCode::SUCCESS
        }
        ["--full"] => besiege(&runtime, FULL, None),
        ["--full", "--only", name] => besiege_with(&runtime, FULL, None, name),
        ["--full", "--write", page] => besiege(&runtime, FULL, Some(page)),
        ["--full", "--only", name, "--write", page] => {
            besiege_with(&runtime, FULL, Some(page), name)
        }
        ["--only", name] => besiege_with(&runtime, SHORT, None, name),
        // What `cargo test` says to every test.
        _ => besiege(&runtime, SHORT, None),
    }
}

fn besiege(runtime: &tokio::runtime::Runtime, scale: Scale, page: Option<&str>) -> ExitCode {
    besiege_with(runtime, scale, page, "")
}

/// With the attacks whose name has one of the `part`s in it, between commas.
fn besiege_with(
    runtime: &tokio::runtime::Runtime,
    scale: Scale,
    page: Option<&str>,
    part: &str,
) -> ExitCode {
    let mut rows = Vec::new();
    for attack in
        ATTACKS.iter().filter(|attack| part.split(',').any(|part| attack.name.contains(part)))
    {
        let row: Row = runtime.block_on(async { Siege::lay(attack, scale).await.run().await });
        println!("{}", row.line());
        rows.push(row);
    }
    let table = report::table(&rows);
    println!("\n{table}");
    if let Some(page) = page {
        let text = fs::read_to_string(page).expect("the page");
        fs::write(page, report::put(&text, &rows)).expect("the page");
    }
    let faults: Vec<String> = rows.iter().flat_map(|row| row.faults(scale)).collect();
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
