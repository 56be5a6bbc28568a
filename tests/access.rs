//! Who may do what, and that no user is in another's way. Other users need root;
//! without it there is only one.

use std::{fs, os::unix::fs::PermissionsExt as _};

use dirtyd_client::{Reason, Value, args};
use tonic::Code;

use crate::support::{Daemon, Output, failure};

const APP: &str = "socket_mode = \"0666\"\n[[app]]\npath = \"lab:Lab\"";
/// A user that has nothing to do with the daemon.
const STRANGER: u32 = 65_534;

/// A daemon whose socket everybody reaches; `None` where this process cannot become
/// another user.
async fn open_to_all(config: &str) -> Option<Daemon> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: only root can be another user");
        return None;
    }
    let daemon = Daemon::start(config).await;
    fs::set_permissions(daemon.path("."), fs::Permissions::from_mode(0o711)).expect("its folder");
    Some(daemon)
}

fn refused(output: &Output, code: &str, words: &[&str]) {
    assert!(output.code != Some(0), "{output:?}");
    for word in words.iter().chain([&code]) {
        assert!(output.stderr.contains(word), "{word}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_calls_and_looks_but_does_not_operate() {
    let Some(daemon) = open_to_all(APP).await else { return };
    let called = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "7"]).await;
    assert_eq!(called.stdout.trim(), "7", "{called:?}");
    assert!(daemon.run_as(STRANGER, &["status"]).await.code == Some(0));
    let scaled = daemon.run_as(STRANGER, &["scale", "3"]).await;
    refused(&scaled, "PERMISSION_DENIED", &["uid 65534", "Admin/Scale"]);
    refused(&daemon.run_as(STRANGER, &["reload"]).await, "PERMISSION_DENIED", &["Admin/Reload"]);
    assert_eq!(daemon.status().await.workers.len(), 1);
    assert!(daemon.run(&["scale", "2"]).await.code == Some(0), "its own user operates");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_which_apps_a_user_may_call() {
    let entry = |apps: &str| {
        format!("{APP}\n[[access]]\nuids = [65534]\nadmin = \"none\"\napps = [{apps}]")
    };
    let Some(daemon) = open_to_all(&entry("\"shop:*\"")).await else { return };
    let called = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "7"]).await;
    refused(&called, "PERMISSION_DENIED", &["uid 65534", "lab:Lab"]);
    refused(&daemon.run_as(STRANGER, &["status"]).await, "PERMISSION_DENIED", &["Admin/Status"]);
    let own = daemon.client().execute("lab:Lab", "echo", args![7]).await;
    assert_eq!(own.expect("its own user calls every app"), Value::from(7));
    let Some(daemon) = open_to_all(&entry("\"shop:*\", \"lab:*\"")).await else { return };
    assert!(daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "7"]).await.code == Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_users_locks_out_others_but_never_its_own() {
    let Some(daemon) = open_to_all(&format!("allowed_uids = [4242]\n{APP}")).await else { return };
    let called = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "7"]).await;
    refused(&called, "PERMISSION_DENIED", &["uid 65534", "allowed_uids"]);
    let listed = daemon.run_as(4242, &["call", "lab:Lab", "echo", "7"]).await;
    assert_eq!(listed.stdout.trim(), "7", "{listed:?}");
    assert!(daemon.run(&["status"]).await.code == Some(0));
    assert!(daemon.run(&["reload"]).await.code == Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_a_group_of_an_entry_may_call() {
    let gid = nix::unistd::Gid::from_raw(0);
    let group = nix::unistd::Group::from_gid(gid).expect("lookup").expect("a group 0").name;
    let entry = format!("{APP}\n[[access]]\ngroups = [\"{group}\"]");
    let Some(daemon) = open_to_all(&entry).await else { return };
    let alone = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "7"]).await;
    refused(&alone, "PERMISSION_DENIED", &["uid 65534"]);
    let member = daemon.run_as_member(STRANGER, 0, &["call", "lab:Lab", "echo", "7"]).await;
    assert_eq!(member.stdout.trim(), "7", "{member:?}");
}

/// One user fills the queue; the call of another is neither refused nor late.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_a_full_queue_is_not_in_the_way_of_another() {
    const MANY: i64 = 60;
    let Some(daemon) = open_to_all(&format!("max_queue = {MANY}\n{APP}")).await else { return };
    let door = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let many: Vec<_> = (0..MANY).map(|n| daemon.calling("note", args![n])).collect();
    let full =
        |status: &dirtyd_client::proto::v1::StatusResponse| status.apps[0].queued == MANY as u32;
    daemon.until("the queue is full", full).await;
    let own = daemon.client().execute("lab:Lab", "echo", args![1]).await;
    failure(own, Code::ResourceExhausted, Reason::QueueFull);
    let other = daemon.run_as(STRANGER, &["call", "lab:Lab", "note", "-1"]);
    let opened = async {
        let displaced = |log: &dirtyd_client::proto::v1::StatusResponse| log.apps[0].failed >= 2;
        daemon.until("one of the many has left for it", displaced).await;
        daemon.touch("door");
    };
    let (other, ()) = tokio::join!(other, opened);
    assert!(other.code == Some(0), "{other:?}");
    door.await.expect("no panic").expect("it was open");
    let mut refusals = 0;
    for call in many {
        if let Err(error) = call.await.expect("no panic") {
            failure::<Value>(Err(error), Code::ResourceExhausted, Reason::QueueFull);
            refusals += 1;
        }
    }
    assert_eq!(refusals, 1, "the newest of the many");
    let order = daemon.client().execute("lab:Lab", "noted", args![]).await.expect("the order");
    let Value::List(order) = order else { panic!("{order:?}") };
    let place = order.iter().position(|number| *number == Value::from(-1));
    assert!(place.is_some_and(|place| place <= 1), "it was served in place {place:?}: {order:?}");
}

/// The connections of one user leave room for others, and for an operator.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_many_connections_is_not_in_the_way_of_another() {
    let Some(daemon) =
        open_to_all(&format!("max_connections = 8\n{APP}\n[[access]]\nuids = [65534, 4242]\n"))
            .await
    else {
        return;
    };
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(daemon.connect_as(STRANGER));
    }
    let full = |s: &dirtyd_client::proto::v1::StatusResponse| {
        s.arbiter.as_ref().is_some_and(|a| a.connections >= 7)
    };
    daemon.until("they are open", full).await;
    let more = daemon.run_as(STRANGER, &["status"]).await;
    refused(&more, "RESOURCE_EXHAUSTED", &["uid 65534", "6 connections"]);
    assert!(daemon.run_as(4242, &["call", "lab:Lab", "echo", "7"]).await.code == Some(0));
    assert!(daemon.run(&["status"]).await.code == Some(0));
    drop(silent);
}

/// A client that is refused and comes again at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refused_connections_is_summed_up_in_the_log() {
    const MANY: usize = 300;
    let Some(daemon) = open_to_all(&format!("allowed_uids = [4242]\n{APP}")).await else { return };
    for _ in 0..MANY / 20 {
        let flood = (0..20).map(|_| daemon.run_as(STRANGER, &["status"]));
        for refusal in futures_util::future::join_all(flood).await {
            refused(&refusal, "PERMISSION_DENIED", &[]);
        }
    }
    daemon.logged("more connections were refused").await;
    let lines = daemon.log().lines().filter(|line| line.contains("refus")).count();
    assert!(lines < MANY / 10, "{lines} lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_of_the_sockets_group_may_connect() {
    let group = nix::unistd::Group::from_gid(65_534.into()).expect("lookup");
    let group = group.map_or("nogroup".to_owned(), |group| group.name);
    let config =
        format!("socket_mode = \"0660\"\nsocket_group = \"{group}\"\n[[app]]\npath = \"lab:Lab\"");
    let Some(daemon) = open_to_all(&config).await else { return };
    let member = daemon.run_as_member(4242, 65_534, &["call", "lab:Lab", "echo", "7"]).await;
    assert_eq!(member.stdout.trim(), "7", "{member:?}");
    let other = daemon.run_as(4242, &["call", "lab:Lab", "echo", "7"]).await;
    assert!(other.code != Some(0), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_runs_and_queues_no_more_than_its_entry_says() {
    let entry = "[[access]]\nuids = [65534]\nmax_running = 1\nmax_queue = 1";
    let config = format!("workers = 2\n{APP}\n{entry}");
    let Some(daemon) = open_to_all(&config).await else { return };
    let first = daemon.run_as(STRANGER, &["call", "lab:Lab", "hold", "\"door\"", "1"]);
    let others = async {
        daemon.seen("door.started").await;
        let second = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "2"]);
        let rest = async {
            // A worker is free, but not for this user.
            daemon.until("the second waits", |status| status.apps[0].queued == 1).await;
            let third = daemon.run_as(STRANGER, &["call", "lab:Lab", "echo", "3"]).await;
            refused(&third, "RESOURCE_EXHAUSTED", &["1 call of this user is waiting already"]);
            let own = daemon.client().execute("lab:Lab", "echo", args![4]).await;
            assert_eq!(own.expect("others are served"), Value::from(4));
            daemon.touch("door");
        };
        tokio::join!(second, rest).0
    };
    let (first, second) = tokio::join!(first, others);
    assert_eq!((first.stdout.trim(), second.stdout.trim()), ("1", "2"), "{first:?} {second:?}");
}
