//! Names and PID files: who has one, and who is never harmed for it.

use std::os::unix::fs::PermissionsExt as _;

use std::{fs, os::unix::fs::symlink};

use dirtyd_client::args;
use nix::sys::signal::Signal;

use crate::{
    family::{Family, LIFE, is_alive},
    innocent::Innocent,
    support::{LIMIT, eventually, signal},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_planted_pid_file_harms_nobody() {
    let innocent = Innocent::new();
    let pid = innocent.pid();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let start_time = stat.split(' ').nth(21).expect("its form").to_owned();
    let contents = [
        format!("{pid}\n"),
        format!("{pid} {start_time}\n"),
        format!("-{pid}\n"),
        "99999999999999999999\n".to_owned(),
        "\u{0}\u{1}binary".to_owned(),
        String::new(),
        "-1\n".to_owned(),
        "0\n".to_owned(),
    ];
    for content in contents {
        let files = [
            ("dirtyd.pid", content.as_str()),
            ("dirtyd-dirty.pid", &content),
            ("dirtyd.2.pid", &content),
            ("dirtyd.2-dirty.pid", &content),
        ];
        let family = Family::launch("[[app]]\npath = \"life:Life\"\n", &files).await;
        assert_ne!(family.named("dirtyd-dirty.pid").await, pid);
        assert_eq!(family.named("dirtyd.pid").await, family.pid());
        assert!(is_alive(pid), "{content:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_at_the_path_is_replaced_and_its_target_untouched() {
    let mut family = Family::start().await;
    family.signal(Signal::SIGTERM);
    family.ended().await;
    let innocent = Innocent::new();
    let target = family.path("precious");
    fs::write(&target, format!("{}\n", innocent.pid())).expect("file");
    symlink(&target, family.path("dirtyd.pid")).expect("link");
    symlink(&target, family.path("dirtyd-dirty.pid")).expect("link");
    let log = fs::File::create(family.path("log.again")).expect("log");
    let mut again =
        family.command(&["serve", "--config", "dirtyd.toml"]).stderr(log).spawn().expect("starts");
    eventually(LIMIT, "it serves", async || {
        family.connect().execute(crate::family::LIFE, "pid", dirtyd_client::args![]).await.ok()
    })
    .await;
    assert!(is_alive(innocent.pid()));
    assert_eq!(fs::read_to_string(&target).expect("there"), format!("{}\n", innocent.pid()));
    let log = fs::read_to_string(family.path("log.again")).expect("log");
    assert!(log.contains("a symbolic link was in the way; replacing it"), "{log}");
    signal(again.id() as i32, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || again.try_wait().expect("a child")).await;
}

/// A process that holds the lock of the dirty arbiter's PID file, but is not
/// named by it, is none of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_holder_that_the_file_does_not_name_is_not_signalled() {
    let mut family = Family::start().await;
    family.signal(Signal::SIGTERM);
    family.ended().await;
    let path = family.path("dirtyd-dirty.pid");
    let script = "import fcntl,sys,time\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\ntime.sleep(1000)";
    let mut holder = std::process::Command::new(crate::support::python())
        .args(["-c", script])
        .arg(&path)
        .stdout(fs::File::create(family.path("held")).expect("file"))
        .spawn()
        .expect("python");
    let held =
        async || fs::read_to_string(family.path("held")).ok().filter(|text| !text.is_empty());
    eventually(LIMIT, "the lock is held", held).await;
    let refused = family.run(&["serve", "--config", "dirtyd.toml"]).await;
    assert_eq!(refused.code, Some(1));
    let pid = holder.id();
    assert!(
        refused.stderr.contains(&format!("process {pid} holds this PID file")),
        "{}",
        refused.stderr
    );
    assert!(is_alive(pid as i32));
    holder.kill().expect("a child");
    holder.wait().expect("a child");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_second_of_a_name_refuses_and_says_who_holds_it() {
    let family = Family::start().await;
    let second = family.run(&["serve", "--config", "dirtyd.toml"]).await;
    assert_eq!(second.code, Some(1));
    let told = format!("process {} holds", family.pid());
    assert!(second.stderr.contains(&told), "{}", second.stderr);
    assert!(second.stderr.contains("--proc-name"), "{}", second.stderr);
    family.call("pid").await.expect("the first is not disturbed");
    // Another name needs another socket.
    let other = family.run(&["serve", "--config", "dirtyd.toml", "--proc-name", "other"]).await;
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("another process serves it"), "{}", other.stderr);
    assert_eq!(
        family.files(),
        ["d.sock", "dirtyd-dirty.pid", "dirtyd.id", "dirtyd.pid", "dirtyd.toml", "log"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stale_socket_and_pid_files_need_no_cleaning() {
    let family = Family::launch(
        "[[app]]\npath = \"life:Life\"\n",
        &[("dirtyd.pid", "1\n"), ("dirtyd-dirty.pid", "1\n")],
    )
    .await;
    family.logged("replaced a stale PID file").await;
    family.call("pid").await.expect("served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_folder_in_which_others_may_write_holds_no_files_of_an_instance() {
    let family = Family::start().await;
    let shared = family.path("shared");
    std::fs::create_dir(&shared).expect("made");
    for mode in [0o777, 0o1777, 0o770] {
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(mode)).expect("changed");
        let folder = shared.to_str().expect("text");
        let refused =
            family.run(&["serve", "--config", "dirtyd.toml", "--runtime-dir", folder]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("others may write there"), "{refused:?}");
    }
}

/// As a cleaner of temporary files does: open connections go on, new ones come again,
/// and the instance can still be found, upgraded and restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_socket_that_is_removed_under_a_running_daemon_is_bound_again() {
    let mut family = Family::start().await;
    let open = family.connect();
    open.execute(LIFE, "pid", args![]).await.expect("served");
    let (main, dirty) = (family.pid(), family.named("dirtyd-dirty.pid").await);
    for gone in ["d.sock", "dirtyd.pid", "dirtyd.id"] {
        fs::remove_file(family.path(gone)).expect("removed");
    }
    family.logged("the socket was removed while dirtyd ran; it was bound again").await;
    open.execute(LIFE, "pid", args![]).await.expect("its connection is not touched");
    let again = async || family.connect().execute(LIFE, "pid", args![]).await.ok();
    eventually(LIMIT, "new callers are served", again).await;
    assert_eq!(family.named("dirtyd.pid").await, main);
    // The next dirty arbiter listens there, too.
    signal(dirty, Signal::SIGKILL);
    family.renamed("dirtyd-dirty.pid", dirty).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("served");
    let upgrade = family.run(&["upgrade", "--wait"]).await;
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    assert!(family.ended().await.success());
    family.connect().execute(LIFE, "pid", args![]).await.expect("served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_single_arbiter_binds_its_socket_again_too() {
    let mut family = Family::single("[[app]]\npath = \"life:Life\"\n").await;
    fs::remove_file(family.path("d.sock")).expect("removed");
    family.logged("it was bound again").await;
    let again = async || family.connect().execute(LIFE, "pid", args![]).await.ok();
    eventually(LIMIT, "new callers are served", again).await;
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    assert!(!family.path("d.sock").exists());
}
