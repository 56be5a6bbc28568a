//! Reload: what is bad changes nothing, what is new takes effect.

use std::{fs, time::Duration};

use dirtyd_client::{Reason, args};
use nix::sys::signal::Signal;
use tokio::task::LocalSet;
use tonic::Code;

use crate::{
    family::{Family, LIFE},
    footprint::arbiters,
    load::Load,
    support::{LIMIT, app, eventually, failure, pids, python, python_path, repository, signal},
};

const TWO: &str = "workers = 2\nboot_timeout = \"2s\"\n[[app]]\npath = \"life:Moody\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_configuration_changes_nothing_and_says_why() {
    let family = Family::start().await;
    let before = pids(&family.status().await);
    family.configure("wrokers = 3\n[[app]]\npath = \"life:Life\"\n");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1));
    assert!(reload.stderr.contains("wrokers"), "{}", reload.stderr);
    family.signal(Signal::SIGHUP);
    family.logged("the configuration was rejected, so nothing changed").await;
    assert_eq!(pids(&family.status().await), before);
}

/// Not even if the dirty arbiter dies before the file is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_configuration_does_not_keep_a_dead_arbiter_from_coming_back() {
    let family = Family::start().await;
    family.configure("workers = 3\n[[app]]\npath = \"life:Life\"\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    family.configure("wrokers = 4\n[[app]]\npath = \"life:Life\"\n");
    let (main, arbiter) = arbiters(&family).await;
    signal(arbiter, Signal::SIGKILL);
    family.renamed("dirtyd-dirty.pid", arbiter).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("served as before");
    assert_eq!(family.status().await.apps[0].allocated_workers, 3, "what was valid last");
    family.logged("starts with the last valid configuration").await;
    assert_eq!(family.named("dirtyd.pid").await, main);
    family.configure("workers = 2\n[[app]]\npath = \"life:Life\"\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    assert_eq!(family.status().await.apps[0].allocated_workers, 2);
}

/// A FIFO that nobody writes into stands for all that hangs when it is opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fifo_in_place_of_the_configuration_stops_nothing() {
    let family = Family::start().await;
    let before = pids(&family.status().await);
    let path = family.path("dirtyd.toml");
    fs::remove_file(&path).expect("removed");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1));
    assert!(reload.stderr.contains("not a regular file"), "{}", reload.stderr);
    family.signal(Signal::SIGHUP);
    family.logged("the configuration was rejected, so nothing changed").await;
    family.call("pid").await.expect("served");
    assert_eq!(pids(&family.status().await), before);
    let (_, arbiter) = arbiters(&family).await;
    signal(arbiter, Signal::SIGKILL);
    family.renamed("dirtyd-dirty.pid", arbiter).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("served as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_does_not_become_ready_leaves_the_old_one() {
    for mood in ["raise", "hang"] {
        let family = Family::with(TWO).await;
        let before = pids(&family.status().await);
        fs::write(family.path("mood"), mood).expect("file");
        let reload = family.run(&["reload"]).await;
        assert_eq!(reload.code, Some(1), "{mood}: {}", reload.stdout);
        assert!(reload.stderr.contains("the old workers stay"), "{mood}: {}", reload.stderr);
        let after = family.until("the new worker is gone", |s| s.workers.len() == 2).await;
        assert_eq!(pids(&after), before);
        family.connect().execute("life:Moody", "pid", args![]).await.expect("served as before");
    }
}

/// The old worker becomes ready while the new one boots: that replaces nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reload_while_the_old_worker_boots_waits_for_the_new_one() {
    let config = "boot_timeout = \"4s\"\n[[app]]\npath = \"life:Moody\"\n";
    let family = Family::launch(config, &[("mood", "slow")]).await;
    family.logged("started worker 1").await;
    eventually(LIMIT, "init() of the old one runs", async || {
        family.path("booting").exists().then_some(())
    })
    .await;
    fs::write(family.path("mood"), "hang").expect("file");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    family.connect().execute("life:Moody", "pid", args![]).await.expect("the old one serves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn new_code_is_loaded() {
    let code =
        |version: u8| format!("class App:\n    def __call__(self, action): return {version}\n");
    let family = Family::launch("[[app]]\npath = \"fresh:App\"\n", &[("fresh.py", &code(1))]).await;
    let client = family.connect();
    for version in 1..=2 {
        let served = client.execute("fresh:App", "version", args![]).await.expect("served");
        assert_eq!(served.as_int(), Some(version.into()));
        fs::write(family.path("fresh.py"), code(version + 1)).expect("file");
        let reload = family.run(&["reload"]).await;
        assert_eq!(
            (reload.code, reload.stdout.as_str()),
            (Some(0), "reloaded: 1 worker replaced\n")
        );
    }
}

/// Where memory cannot hold two: never more processes than workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn swap_lets_the_old_one_leave_first_and_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let family =
                Family::with("reload = \"swap\"\nworkers = 2\n[[app]]\npath = \"life:Life\"\n")
                    .await;
            let load = Load::start(&family, 2);
            let before = pids(&family.status().await);
            for _ in 0..2 {
                load.serve(5).await;
                let reload = family.run(&["reload"]).await;
                assert!(reload.stdout.starts_with("reloaded: 2 workers replaced\n"), "{reload:?}");
            }
            load.stop_without_failures().await;
            family.gone(&before).await;
            let (log, mut alive) = (family.log(), 0);
            for line in log.lines() {
                alive += i32::from(line.contains("event=WorkerStarted"));
                alive -= i32::from(line.contains("event=WorkerDied"));
                assert!(alive <= 2, "{line}\n{log}");
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_swap_that_fails_keeps_the_others_and_says_so() {
    let family = Family::with(&format!("reload = \"swap\"\n{TWO}")).await;
    let before = pids(&family.status().await);
    fs::write(family.path("mood"), "raise").expect("file");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    let told = "reload abandoned; the others stay in service, and the one whose old worker has left will be tried again";
    assert!(reload.stderr.contains(told), "{}", reload.stderr);
    assert!(pids(&family.status().await).contains(&before[1]));
    family.connect().execute("life:Moody", "pid", args![]).await.expect("served by the other");
    fs::remove_file(family.path("mood")).expect("file");
    family.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn apps_come_and_go() {
    let family = Family::start().await;
    family.configure("[[app]]\npath = \"life:Stubborn\"\nworkers = 1\n");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(0), "{}", reload.stderr);
    family.connect().execute("life:Stubborn", "pid", args![]).await.expect("the new app");
    let gone = family.connect().execute(LIFE, "pid", args![]).await.expect_err("the old app");
    assert!(gone.to_string().contains("APP_NOT_FOUND") || gone.to_string().contains("AppNotFound"));
    assert_eq!(app(&family.status().await, "life:Stubborn").ready_workers, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn scale_and_events_on_the_command_line() {
    let family = Family::start().await;
    let mut events = family
        .command(&["events", "--json"])
        .stdout(fs::File::create(family.path("events")).expect("file"))
        .spawn()
        .expect("starts");
    let scaled = family.run(&["scale", "3"]).await;
    assert_eq!((scaled.code, scaled.stdout.as_str()), (Some(0), "scaled: from 2 to 3 workers\n"));
    family.ready().await;
    let back = family.run(&["scale", "2"]).await;
    assert_eq!(back.code, Some(0));
    let refused = family.run(&["scale", "5", "--pool", "none"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("there is no pool `none`"), "{}", refused.stderr);
    eventually(LIMIT, "the events are told", async || {
        // The watcher may have come after the first scale.
        let _ = family.run(&["scale", "3"]).await;
        let _ = family.run(&["scale", "2"]).await;
        let told = fs::read_to_string(family.path("events")).unwrap_or_default();
        let told =
            |kind: &str| told.lines().any(|line| line.contains(&format!("\"kind\":\"{kind}\"")));
        (told("scaled") && told("worker_started") && told("worker_died")).then_some(())
    })
    .await;
    events.kill().expect("a child");
    events.wait().expect("a child");
}

/// The fourth worker, which is to take the second seat, never gets ready.
const FOURTH_HANGS: &str = "import os, pathlib, time
class App:
    def __call__(self, action): return os.getpid()
    def init(self):
        with open('boots', 'ab') as boots:
            boots.write(b'.')
            number = boots.tell()
        if number == 4:
            pathlib.Path('fourth').touch()
            time.sleep(1000)
";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reload_goes_on_when_the_seat_that_it_is_at_leaves() {
    for mode in ["surge", "swap"] {
        let config = format!("reload = {mode:?}\nworkers = 2\n[[app]]\npath = \"app:App\"\n");
        let family = Family::launch(&config, &[("app.py", FOURTH_HANGS)]).await;
        family.ready().await;
        let reload = async {
            let reload = family.run(&["reload"]).await;
            assert_eq!(reload.code, Some(0), "{mode}: {}", reload.stderr);
        };
        let scale = async {
            family.seen("fourth").await;
            let scaled = family.run(&["scale", "1"]).await;
            assert_eq!(scaled.code, Some(0), "{mode}: {}", scaled.stderr);
        };
        let both = async { tokio::join!(reload, scale) };
        tokio::time::timeout(LIMIT, both).await.expect("the reload ends");
        let again = family.run(&["reload"]).await;
        assert_eq!(again.code, Some(0), "{mode}: {}", again.stderr);
    }
}

/// Of a command that cannot even be started.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_swap_to_a_command_that_cannot_start_is_given_up() {
    let config = "reload = \"swap\"\n[[app]]\npath = \"life:Life\"\n";
    let family = Family::with(config).await;
    family.configure(&format!("command = [\"/nonesuch\"]\n{config}"));
    let reload = tokio::time::timeout(LIMIT, family.run(&["reload"])).await.expect("it ends");
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    assert!(reload.stderr.contains("/nonesuch"), "{}", reload.stderr);
    family.ready().await;
    family.call("pid").await.expect("served as before");
}

/// The third import never ends: that of the first new worker.
const THIRD_HANGS: &str = "import pathlib, time
with open('imports', 'ab') as imports:
    imports.write(b'.')
    number = imports.tell()
if number == 3:
    pathlib.Path('third').touch()
    time.sleep(1000)
class App:
    def __call__(self, action): pass
";

/// A worker that crashes while nobody knows in how many an app is loaded has to
/// get it in the end, even if the reload that was to tell is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_crashes_in_a_reload_that_fails_gets_its_apps() {
    let config = "workers = 2\nboot_timeout = \"4s\"\n[[app]]\npath = \"app:App\"\n";
    let family = Family::launch(config, &[("app.py", THIRD_HANGS)]).await;
    family.ready().await;
    let second = pids(&family.status().await)[1];
    let reload = async {
        let reload = family.run(&["reload"]).await;
        assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    };
    let crash = async {
        family.seen("third").await;
        signal(second, Signal::SIGKILL);
        family.logged("started worker 4").await;
    };
    tokio::join!(reload, crash);
    family.until("two serve it", |status| status.apps[0].ready_workers == 2).await;
}

/// What an app has waiting is told that it is gone, also what was on its way to
/// a worker that dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_on_its_way_to_a_worker_that_dies_after_its_app_was_taken_out_has_an_answer() {
    let mut family = Family::start().await;
    let old = pids(&family.status().await);
    for pid in &old {
        signal(*pid, Signal::SIGSTOP);
    }
    let call = tokio::spawn({
        let client = family.connect();
        let large = vec![0u8; 16 << 20];
        async move { client.execute(LIFE, "echo", args![large.as_slice()]).await }
    });
    family.until("it is given to a worker", |s| s.apps[0].running == 1).await;
    family.configure("workers = 2\n[[app]]\npath = \"life:Stubborn\"\nworkers = 1\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    for pid in &old {
        signal(*pid, Signal::SIGKILL);
    }
    failure(call.await.expect("no panic"), Code::NotFound, Reason::AppNotFound);
    let settled = |s: &dirtyd_client::proto::v1::StatusResponse| {
        s.arbiter.as_ref().is_some_and(|arbiter| arbiter.calls == 0)
    };
    family.until("no call is left", settled).await;
    family.signal(Signal::SIGQUIT);
    family.ended().await;
}

/// An app that moves to another pool waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_of_an_app_that_moves_between_pools_are_not_refused() {
    let path = python_path(&repository().join("tests/supervision/apps"));
    let config = |first: &str, second: &str| {
        let pool = |name: &str, paths: &str| {
            let apps: Vec<_> =
                paths.split(' ').map(|path| format!("{{ path = \"life:{path}\" }}")).collect();
            format!(
                "[[pool]]\nname = {name:?}\npython = {:?}\nenv = {{ PYTHONPATH = {path:?} }}\napp = [{}]\n",
                python(),
                apps.join(", ")
            )
        };
        format!("{}{}", pool("first", first), pool("second", second))
    };
    let family = Family::with(&config("Moody Life", "Stubborn")).await;
    fs::write(family.path("mood"), "slow").expect("file");
    family.configure(&config("Moody", "Stubborn Life"));
    let reload = family.run(&["reload"]);
    let call = async {
        family.logged("replacing 2 workers").await;
        family.call("pid").await.expect("served, once its new pool has it");
    };
    let (reload, ()) = tokio::join!(reload, call);
    assert_eq!(reload.code, Some(0), "{}", reload.stderr);
}

/// The edge has those of its start, and the new workers must have the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn limits_of_the_edge_stay_until_a_restart() {
    let app = "class App:
    def __call__(self, action, *args): return getattr(self, action)(*args)
    def count(self, limit): yield from range(limit)
    def size(self, data): return len(data)
";
    let config = |window, size| {
        format!(
            "stream_window = {window}\nmax_message_size = {size:?}\n[[app]]\npath = \"app:App\"\n"
        )
    };
    for (window, other) in [(64, 4), (4, 64)] {
        let family = Family::launch(&config(window, "8MiB"), &[("app.py", app)]).await;
        family.ready().await;
        family.configure(&config(other, "1MiB"));
        let reload = family.run(&["reload"]).await;
        assert_eq!(reload.code, Some(0), "{}", reload.stderr);
        let note = "these keys were not changed: max_message_size, stream_window; changing them needs an upgrade";
        assert!(family.log().contains(note), "{}", family.log());
        let client = family.connect().with_timeout(Duration::from_secs(10));
        let mut stream = client.stream("app:App", "count", args![500]).await.expect("a stream");
        for number in 0..500 {
            let chunk = stream.next().await.expect("more").expect("no error");
            assert_eq!(chunk.as_int(), Some(number), "{window} to {other}");
        }
        let data = vec![0u8; 4 << 20];
        let size = client.execute("app:App", "size", args![data.as_slice()]).await;
        assert_eq!(size.expect("within the limit").as_int(), Some(4 << 20));
    }
}
