//! Upgrades: two generations on one socket, and then only the new one.

use std::{
    convert::Infallible,
    fs,
    os::unix::{
        fs::{chown, symlink},
        process::CommandExt as _,
    },
    path::Path,
    process::{Output, Stdio},
};

use dirtyd_client::{args, proto::v1::StatusResponse};
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

use crate::{
    family::{Family, is_alive},
    load::Load,
    support::{LIMIT, eventually, pty::Pty, signal},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn usr2_and_term_three_times_under_load_fail_no_call() {
    LocalSet::new()
        .run_until(async {
            let mut family = Family::start().await;
            let load = Load::start(&family, 2);
            let mut main = family.pid();
            for generation in 0..3 {
                load.serve(5).await;
                signal(main, Signal::SIGUSR2);
                // Its PID file names it once it serves.
                let next = family.named("dirtyd.2.pid").await;
                assert!(is_alive(main), "both serve");
                load.serve(5).await;
                signal(main, Signal::SIGTERM);
                if generation == 0 {
                    assert!(family.ended().await.success());
                }
                assert_eq!(family.renamed("dirtyd.pid", main).await, next);
                family.gone(&[main]).await;
                main = next;
            }
            load.serve(5).await;
            load.stop_without_failures().await;
            family.never_fewer_ready(2);
            eventually(LIMIT, "the names are plain", async || {
                (family.files()
                    == [
                        "d.sock",
                        "dirtyd-dirty.pid",
                        "dirtyd.id",
                        "dirtyd.pid",
                        "dirtyd.toml",
                        "log",
                    ])
                .then_some(())
            })
            .await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_command_upgrades_and_says_who_took_over() {
    let mut family = Family::start().await;
    let upgrade = family.run(&["upgrade", "--wait", "--config", "dirtyd.toml"]).await;
    assert_eq!(upgrade.code, Some(0), "{}\n{}", upgrade.stderr, family.log());
    let main = family.named("dirtyd.pid").await;
    let told = format!("process {} has exited; process {main} has taken over\n", family.pid());
    assert!(upgrade.stdout.ends_with(&told), "{}", upgrade.stdout);
    assert!(family.ended().await.success());
    family.call("pid").await.expect("served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_planted_where_an_upgrade_leaves_word_is_never_written_to() {
    let mut family = Family::start().await;
    fs::write(family.path("precious"), "precious").expect("file");
    symlink(family.path("precious"), family.path("dirtyd.2.upgrade")).expect("planted");
    nix::unistd::mkfifo(&family.path("dirtyd.upgrade"), nix::sys::stat::Mode::S_IRWXU)
        .expect("planted");
    let upgrade = family.run(&["upgrade", "--wait"]).await;
    assert_eq!(upgrade.code, Some(0), "{}\n{}", upgrade.stderr, family.log());
    assert!(family.ended().await.success());
    assert_eq!(fs::read_to_string(family.path("precious")).expect("it"), "precious");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_binary_that_fails_leaves_the_old_one_in_charge() {
    let family = Family::with("boot_timeout = \"2s\"\n[[app]]\npath = \"life:Moody\"\n").await;
    // The configuration cannot be used.
    family.configure("nonsense = 1\n");
    refused(&family, "exited with code 1 before it was ready").await;
    // An app that the old one serves cannot be loaded.
    family.configure("boot_timeout = \"2s\"\n[[app]]\npath = \"life:Moody\"\n");
    fs::write(family.path("mood"), "raise").expect("file");
    refused(&family, "it cannot serve every app, as the old one can").await;
    // Once that is mended, it works.
    fs::remove_file(family.path("mood")).expect("file");
    let upgrade = family.run(&["upgrade", "--wait"]).await;
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    let mut family = family;
    family.ended().await;
}

/// As under systemd, where the service has a user of its own and root upgrades.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn root_upgrades_a_dirtyd_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not tested: only root can start a dirtyd of another user");
    }
    const NOBODY: u32 = 65534;
    let dir = tempfile::TempDir::with_prefix("dirtyd-").expect("directory");
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
    let program = dir.path().join("dirtyd");
    fs::copy(env!("CARGO_BIN_EXE_dirtyd"), &program).expect("copy");
    let socket = dir.path().join("d.sock");
    // Without workers: nobody may not reach the interpreter.
    let serve = ["serve", "--workers", "0", "--app", "life:Life", "--socket"];
    let mut old = std::process::Command::new(&program)
        .args(serve)
        .arg(&socket)
        .env("XDG_RUNTIME_DIR", dir.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dirtyd");
    let status =
        async || dirtyd_says(&program, &socket, "status").filter(|out| out.status.success());
    eventually(LIMIT, "it serves", status).await;
    let upgrade = dirtyd_says(&program, &socket, "upgrade").expect("it runs");
    assert!(upgrade.status.success(), "{}", String::from_utf8_lossy(&upgrade.stderr));
    assert!(old.wait().expect("it ends").success());
    let new = fs::read_to_string(dir.path().join("dirtyd.pid")).expect("its PID file");
    signal(new.trim().parse().expect("a PID"), Signal::SIGTERM);
    eventually(LIMIT, "the new one ends", async || (!socket.exists()).then_some(())).await;
}

fn dirtyd_says(program: &Path, socket: &Path, command: &str) -> Option<Output> {
    std::process::Command::new(program).args([command, "--socket"]).arg(socket).output().ok()
}

async fn refused(family: &Family, why: &str) {
    // No caller may meet the new one, not even on a connection of its own.
    let upgrade = tokio::select! {
        upgrade = family.run(&["upgrade", "--wait"]) => upgrade,
        never = served(family) => match never {},
    };
    assert_eq!(upgrade.code, Some(1), "{}", upgrade.stdout);
    assert!(upgrade.stderr.contains(why), "{}", upgrade.stderr);
    let client = family.connect();
    client.execute("life:Moody", "pid", dirtyd_client::args![]).await.expect("the old one serves");
    let own = family.pid();
    assert_eq!(family.named("dirtyd.pid").await, own);
    eventually(LIMIT, "the new one is gone", async || {
        (!family.path("dirtyd.2.pid").exists() && !family.path("dirtyd.2-dirty.pid").exists())
            .then_some(())
    })
    .await;
}

/// Calls on one connection after the other, for as long as it is polled.
async fn served(family: &Family) -> Infallible {
    loop {
        let call = family.connect().execute("life:Moody", "pid", dirtyd_client::args![]).await;
        call.expect("the old one serves");
    }
}

/// The old main arbiter dies in the middle: the new one carries on alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_old_one_may_be_killed_meanwhile() {
    let mut family = Family::start().await;
    let (old, arbiter) = (family.pid(), family.named("dirtyd-dirty.pid").await);
    signal(old, Signal::SIGUSR2);
    let new = family.named("dirtyd.2.pid").await;
    signal(old, Signal::SIGKILL);
    family.ended().await;
    assert_eq!(family.renamed("dirtyd.pid", old).await, new);
    family.renamed("dirtyd-dirty.pid", arbiter).await;
    family.gone(&[arbiter]).await;
    family
        .connect()
        .execute(crate::family::LIFE, "pid", dirtyd_client::args![])
        .await
        .expect("served");
}

/// What is started is what stands at the path by then, not what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_path_that_was_called_is_called_again() {
    let family = Family::start().await;
    let dir = tempfile::tempdir().expect("directory");
    let link = dir.path().join("dirtyd");
    symlink(env!("CARGO_BIN_EXE_dirtyd"), &link).expect("link");
    let socket = dir.path().join("u.sock");
    let mut child = std::process::Command::new(&link)
        .args(["serve", "--config", "dirtyd.toml", "--proc-name", "linked", "--socket"])
        .arg(&socket)
        .current_dir(family.path("."))
        .env("DIRTYD_SOCKET", family.socket())
        .env("DIRTYD_PYTHON", crate::support::python())
        .stderr(fs::File::create(dir.path().join("log")).expect("log"))
        .spawn()
        .expect("starts");
    let main = child.id() as i32;
    eventually(LIMIT, "it listens", async || socket.exists().then_some(())).await;
    let gone = format!("failed cannot start {}: No such file or directory", link.display());
    for (target, why) in [
        ("/bin/false", "failed the new main arbiter exited with code 1 before it was ready\n"),
        ("/no/such/binary", &gone),
    ] {
        fs::remove_file(&link).expect("link");
        symlink(target, &link).expect("link");
        signal(main, Signal::SIGUSR2);
        eventually(LIMIT, "the upgrade fails", async || {
            let told = fs::read_to_string(dir.path().join("linked.upgrade")).ok()?;
            told.starts_with(why).then_some(())
        })
        .await;
    }
    signal(main, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn top_shows_the_new_arbiter_while_the_old_one_finishes_its_calls() {
    let mut family = Family::with("[[app]]\npath = \"lab:Lab\"\n").await;
    let pid_of = |status: StatusResponse| status.arbiter.expect("an arbiter").pid;
    let old = pid_of(family.status().await);
    let held = family.calling("hold", args!["door"]);
    family.seen("door.started").await;
    let mut top = Pty::start(&family.command(&["top", "--interval", "100ms"]), (24, 80));
    let is_of = |text: &str, pid: i32| text.contains(&format!("pid {pid} "));
    top.until("the old one", |text| is_of(text, old) && text.contains("serving")).await;
    let upgrade = family.run(&["upgrade"]).await;
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    top.until("the new one", |text| {
        text.contains("dirtyd") && !is_of(text, old) && text.contains("serving")
    })
    .await;
    assert!(is_alive(old), "it finishes its call");
    family.touch("door");
    held.await.expect("no panic").expect("the call ends as if nothing happened");
    assert!(family.ended().await.success());
    top.press("q");
    assert!(top.ended().await.success());
}
