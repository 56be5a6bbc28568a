//! Which workers load which apps.

use dirtyd_client::{
    args,
    proto::v1::{ScaleRequest, StatusResponse},
};
use nix::sys::signal::Signal;

use crate::support::{Daemon, app, pids, signal};

/// Two apps, one with the class attribute `workers`.
const APPS: &str = "
class Heavy:
    workers = 2
    def __call__(self, action): return action
class Light:
    def __call__(self, action): return action
";

fn holders(status: &StatusResponse, path: &str) -> usize {
    status.workers.iter().filter(|worker| worker.apps.iter().any(|app| app == path)).count()
}

async fn start(config: &str) -> Daemon {
    let daemon = Daemon::launch_with(config, &[("apps.py", APPS)]).await;
    daemon.ready().await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_loaded_in_all_workers_unless_told_otherwise() {
    let daemon =
        start("workers = 3\n[[app]]\npath = \"apps:Light\"\n[[app]]\npath = \"lab:Lab:1\"").await;
    let status = daemon.status().await;
    assert_eq!((holders(&status, "apps:Light"), holders(&status, "lab:Lab")), (3, 1));
    assert_eq!(app(&status, "lab:Lab").allocated_workers, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_class_attribute_says_in_how_many() {
    let daemon =
        start("workers = 3\n[[app]]\npath = \"apps:Heavy\"\n[[app]]\npath = \"apps:Light\"").await;
    let status = daemon.status().await;
    assert_eq!((holders(&status, "apps:Heavy"), holders(&status, "apps:Light")), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_beats_the_class_attribute() {
    let daemon = start("workers = 3\n[[app]]\npath = \"apps:Heavy\"\nworkers = 1").await;
    let status = daemon.status().await;
    assert_eq!(holders(&status, "apps:Heavy"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_loads_the_same_apps() {
    let daemon =
        start("workers = 3\n[[app]]\npath = \"apps:Light\"\n[[app]]\npath = \"lab:Lab:1\"").await;
    let before = daemon.status().await;
    let holder = before.workers.iter().find(|worker| worker.apps.len() == 2).expect("it has both");
    signal(holder.pid, Signal::SIGKILL);
    let after = daemon.until("it is replaced", |status| {
        !pids(status).contains(&holder.pid) && app(status, "lab:Lab").ready_workers == 1
    });
    let after = after.await;
    assert_eq!(after.workers.last().expect("the newest").apps.len(), 2, "both in the new one");
    assert_eq!(
        pids(&after)[..2],
        pids(&before).into_iter().filter(|p| *p != holder.pid).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_only_where_their_app_is() {
    let daemon =
        start("workers = 2\n[[app]]\npath = \"apps:Light\"\n[[app]]\npath = \"lab:Lab:1\"").await;
    let status = daemon.status().await;
    let holder = status.workers.iter().find(|worker| worker.apps.len() == 2).expect("it has both");
    for _ in 0..10 {
        let pid = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid");
        assert_eq!(pid.as_int(), Some(holder.pid.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_keeps_what_the_apps_need() {
    let daemon =
        start("workers = 2\n[[app]]\npath = \"apps:Light\"\n[[app]]\npath = \"lab:Lab:2\"").await;
    let scale =
        async |workers| daemon.admin().scale(ScaleRequest { pool: String::new(), workers }).await;
    scale(4).await.expect("up");
    let status = daemon.until("four", |s| app(s, "apps:Light").ready_workers == 4).await;
    assert_eq!(holders(&status, "lab:Lab"), 2);
    scale(2).await.expect("down to what lab:Lab needs");
    daemon.until("two", |s| pids(s).len() == 2 && app(s, "lab:Lab").ready_workers == 2).await;
    let refused = scale(1).await.expect_err("lab:Lab needs two");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
