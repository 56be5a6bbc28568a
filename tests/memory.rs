//! Large messages find the memory of those before them, in the arbiter and in a
//! Python worker, and none of it is kept for long.

use std::fs;

use dirtyd_client::{Value, args};

use crate::support::{Daemon, LIMIT, eventually, pids};

const MIB: usize = 1 << 20;
/// The pages of a message.
const PAGES: u64 = (MIB / 4096) as u64;

/// Page faults of a process so far, those that read nothing from a disk.
fn faults(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let fields = stat.rsplit_once(") ").expect("behind its name").1;
    fields.split(' ').nth(7).and_then(|field| field.parse().ok()).expect("proc(5): minflt")
}

fn resident(pid: i32) -> usize {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).expect("the process is there");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
    pages * 4096
}

/// The dirty arbiter and its worker.
async fn processes(daemon: &Daemon) -> [i32; 2] {
    let status = daemon.status().await;
    [status.arbiter.as_ref().expect("arbiter").pid, pids(&status)[0]]
}

/// One message of this size there, and one back.
async fn there_and_back(daemon: &Daemon, size: usize) {
    let payload = Value::Bytes(vec![7; size].into());
    let result = daemon.client().execute("lab:Lab", "echo", args![payload.clone()]).await;
    assert!(result.expect("echo") == payload, "it comes back as it went");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_use_the_memory_of_those_before_them() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let processes = processes(&daemon).await;
    // Some at once, because glibc keeps what one alone needs.
    let rounds = async |rounds| {
        for _ in 0..rounds {
            tokio::join!(
                there_and_back(&daemon, MIB),
                there_and_back(&daemon, MIB),
                there_and_back(&daemon, MIB),
                there_and_back(&daemon, MIB)
            );
        }
    };
    rounds(5).await;
    let before = processes.map(faults);
    rounds(15).await;
    for (process, before) in processes.into_iter().zip(before) {
        let each = (faults(process) - before) / (15 * 4);
        assert!(each < PAGES / 2, "{each} page faults a call; a message has {PAGES} pages");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_large_messages_is_given_back() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    there_and_back(&daemon, MIB).await;
    let processes = processes(&daemon).await;
    let before = processes.map(resident);
    for _ in 0..4 {
        there_and_back(&daemon, 24 * MIB).await;
    }
    for (process, before) in processes.into_iter().zip(before) {
        eventually(LIMIT, "it is as small as before", async || {
            (resident(process) < before + 12 * MIB).then_some(())
        })
        .await;
    }
}
