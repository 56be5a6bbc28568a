//! The conformance suite of workers: a fake arbiter drives the worker runtime of
//! each language through the protocol of `proto/dirty/worker/v1/`, once in each
//! version, and prints a table. `docs/worker-protocol.md` says how to run it on a
//! runtime of your own.
//!
//! The binary is its own Rust worker: started with DIRTYD_WORKER_FD it serves.

#![allow(missing_docs)]

mod apps {
    pub mod conformant;
}
mod arbiter;
mod cases;
mod runtime;
mod transcript;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    thread,
};

use cases::{CASES, Case};
use runtime::Runtime;

/// How a case went.
enum Verdict {
    Pass,
    /// The worker lacks a capability.
    Skip,
    Fail(String),
}

fn main() -> ExitCode {
    if std::env::var_os("DIRTYD_WORKER_FD").is_some() {
        return apps::conformant::serve();
    }
    // Failures are told in the table's notes, once.
    panic::set_hook(Box::new(|_| {}));
    let filter = std::env::args().nth(1).filter(|word| !word.starts_with('-')).unwrap_or_default();
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&filter)).collect();
    let runtimes = runtime::all();
    let verdicts: Vec<Vec<Verdict>> = thread::scope(|scope| {
        let columns: Vec<_> = (runtimes.iter())
            .map(|runtime| scope.spawn(|| cases.iter().map(|case| judge(case, runtime)).collect()))
            .collect();
        columns.into_iter().map(|column| column.join().expect("judge catches panics")).collect()
    });
    print_table(&cases, &runtimes, &verdicts);
    let transcript = transcript::check();
    if let Err(why) = &transcript {
        println!("{why}");
    }
    let is_failed = |verdict: &Verdict| matches!(verdict, Verdict::Fail(_));
    let failed = verdicts.iter().flatten().any(is_failed) || transcript.is_err();
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn judge(case: &Case, runtime: &Runtime) -> Verdict {
    if !runtime.can(case.needs) {
        return Verdict::Skip;
    }
    match panic::catch_unwind(AssertUnwindSafe(|| (case.run)(runtime))) {
        Ok(()) => Verdict::Pass,
        Err(payload) => {
            let literal = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            Verdict::Fail(literal.or_else(|| payload.downcast_ref().cloned()).unwrap_or_default())
        }
    }
}

fn print_table(cases: &[&Case], runtimes: &[Runtime], verdicts: &[Vec<Verdict>]) {
    let width = cases.iter().map(|case| case.name.len()).max().unwrap_or_default();
    let names: Vec<String> =
        runtimes.iter().map(|runtime| format!("{:10}", runtime.title())).collect();
    println!("{:width$}  {}", "", names.concat());
    for (row, case) in cases.iter().enumerate() {
        let mark = |column: &Vec<Verdict>| match column[row] {
            Verdict::Pass => "pass      ",
            Verdict::Skip => "skip      ",
            Verdict::Fail(_) => "FAIL      ",
        };
        println!("{:width$}  {}", case.name, verdicts.iter().map(mark).collect::<String>());
    }
    for (runtime, column) in runtimes.iter().zip(verdicts) {
        for (case, verdict) in cases.iter().zip(column) {
            if let Verdict::Fail(why) = verdict {
                println!("FAIL {}, {}: {why}", runtime.title(), case.name);
            }
        }
    }
}
