//! What becomes of calls when something is deployed, stopped or killed: the table of
//! docs/operations.md, row by row. Each call that runs takes three times
//! `graceful_timeout`, each stream goes on for ever, and one call waits in the queue.

use std::{fs, process::Stdio};

use dirtyd_client::{Error, Reason, Value, args};
use nix::sys::signal::Signal;
use tokio::task::JoinHandle;

use crate::{
    family::{Family, LIFE, is_alive},
    support::{LIMIT, eventually, pids, process, python, python_path, repository, signal},
};

/// One worker with two slots: for the call that runs and the stream.
const CONFIG: &str = r#"
graceful_timeout = "500ms"
drain_timeout = "1s"
timeout = "30s"
threads = 2
[[app]]
path = "life:Life"
"#;
/// Three times `graceful_timeout`.
const LONG: f64 = 1.5;

/// How calls end, as the columns of the table say it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    queued: String,
    running: String,
    streaming: String,
    /// Whether the next call finds the state of the last one.
    state: String,
}

/// The rows of docs/operations.md, by their first cell.
fn row(event: &str) -> Row {
    let page = fs::read_to_string(repository().join("docs/operations.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect());
    let mut rows = cells.filter(|cells: &Vec<&str>| cells.len() == 5 && cells[0] == event);
    let cells = rows.next().unwrap_or_else(|| panic!("no row `{event}`"));
    let [_, queued, running, streaming, state] = cells[..] else { panic!("{cells:?}") };
    let [queued, running, streaming, state] =
        [queued, running, streaming, state].map(str::to_owned);
    Row { queued, running, streaming, state }
}

fn told<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "result".to_owned(),
        Err(Error::Call(failure)) => {
            let reason = match failure.reason {
                Reason::Draining => "`DRAINING`",
                Reason::WorkerCrashed => "`WORKER_CRASHED`",
                other => panic!("{other:?}: {}", failure.message),
            };
            format!("{reason}, {}", format!("{:?}", failure.code).to_uppercase())
        }
        Err(Error::Connection { .. }) => "connection lost".to_owned(),
        Err(other) => panic!("{other}"),
    }
}

/// The three calls of a row.
struct Calls {
    queued: JoinHandle<String>,
    running: JoinHandle<String>,
    streaming: JoinHandle<String>,
}

impl Calls {
    async fn begin(family: &Family, app: &'static str) -> Self {
        let client = family.connect();
        let running =
            tokio::spawn(async move { told(client.execute(app, "nap", args![LONG]).await) });
        let client = family.connect();
        let streaming = tokio::spawn(async move {
            let mut stream = match client.stream(app, "count", args![1_000_000_000]).await {
                Ok(stream) => stream,
                Err(error) => return told::<()>(Err(error)),
            };
            while let Some(chunk) = stream.next().await {
                if let Err(error) = chunk {
                    return told::<()>(Err(error));
                }
            }
            "its end".to_owned()
        });
        family.until("both run", |status| status.workers.iter().any(|w| w.in_flight == 2)).await;
        let client = family.connect();
        let queued = tokio::spawn(async move { told(client.execute(app, "pid", args![]).await) });
        family.until("one waits", |status| status.apps.iter().any(|app| app.queued == 1)).await;
        Self { queued, running, streaming }
    }

    async fn end(self) -> [String; 3] {
        let Self { queued, running, streaming } = self;
        let ends = async { tokio::try_join!(queued, running, streaming) };
        let ended = tokio::time::timeout(LIMIT, ends).await.expect("they end");
        ended.expect("no panic").into()
    }
}

/// Does something beside three calls, and compares what becomes of them with the row.
async fn holds(event: &str, deed: impl AsyncFnOnce(&Family)) {
    holds_for(LIFE, CONFIG, event, deed).await;
}

async fn holds_for(app: &'static str, config: &str, event: &str, deed: impl AsyncFnOnce(&Family)) {
    let row = row(event);
    let family = Family::with(config).await;
    let before = family.client().execute(app, "pid", args![]).await.expect("served");
    let calls = Calls::begin(&family, app).await;
    deed(&family).await;
    let [queued, running, streaming] = calls.end().await;
    // Over a connection of its own: an older one may be just about to end.
    let state = match family.connect().execute(app, "pid", args![]).await {
        Ok(pid) if pid == before => "kept",
        Ok(_) => "fresh",
        Err(_) => "gone",
    };
    let found = Row { queued, running, streaming, state: state.to_owned() };
    assert_eq!(found, row, "{event}\n{}", family.log());
}

async fn succeeds(family: &Family, command: &[&str]) {
    let output = family.run(command).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reload_lets_calls_end_and_streams_go_on_for_drain_timeout() {
    holds("reload", async |family| succeeds(family, &["reload"]).await).await;
    holds("reload of a pool", async |family| {
        succeeds(family, &["reload", "--pool", "default"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn scaling_down_lets_calls_end_and_streams_go_on_for_drain_timeout() {
    // The second worker leaves, which alone has the second app.
    let apps = "workers = 1\n[[app]]\npath = \"life:Moody\"\nworkers = 1\n";
    let config = format!("workers = 2\n{CONFIG}{apps}");
    holds_for("life:Moody", &config, "scale down", async |family| {
        succeeds(family, &["scale", "1"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upgrade_lets_calls_end_and_streams_go_on_for_drain_timeout() {
    holds("upgrade", async |family| {
        succeeds(family, &["upgrade"]).await;
        family.renamed("dirtyd.pid", family.pid()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn term_gives_calls_graceful_timeout() {
    holds("TERM", async |family| family.signal(Signal::SIGTERM)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn quit_loses_calls() {
    holds("QUIT", async |family| family.signal(Signal::SIGQUIT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_loses_what_its_process_held() {
    holds("a worker dies", async |family| {
        signal(pids(&family.status().await)[0], Signal::SIGKILL);
    })
    .await;
    holds("the dirty arbiter dies", async |family| {
        signal(family.status().await.arbiter.expect("one").pid, Signal::SIGKILL);
    })
    .await;
    holds("the main arbiter dies", async |family| family.signal(Signal::SIGKILL)).await;
}

/// The commands wait for the end, say what still runs, and what was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_command_that_waits_says_what_was_cut_off() {
    let family = Family::with(CONFIG).await;
    let calls = Calls::begin(&family, LIFE).await;
    let reload = family.run(&["reload", "--wait"]).await;
    assert_eq!(reload.code, Some(1), "{}{}", reload.stdout, reload.stderr);
    for line in ["reloaded: 1 worker replaced", "is still finishing 2 calls", "exited with code 0"]
    {
        assert!(reload.stdout.contains(line), "{}", reload.stdout);
    }
    assert!(reload.stderr.contains("cut off: life:Life.count streamed for"), "{}", reload.stderr);
    calls.end().await;
    let calls = Calls::begin(&family, LIFE).await;
    let upgrade = family.run(&["upgrade", "--wait"]).await;
    assert_eq!(upgrade.code, Some(1), "{}{}", upgrade.stdout, upgrade.stderr);
    assert!(upgrade.stderr.contains("1 call was cut off"), "{}", upgrade.stderr);
    assert_eq!(calls.end().await[1], "result");
}

/// A second deploy waits until what the first one has replaced is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deploys_one_after_the_other_leave_one_generation_draining() {
    let family = Family::with(&CONFIG.replace("\"1s\"", "\"2s\"")).await;
    let calls = Calls::begin(&family, LIFE).await;
    succeeds(&family, &["reload"]).await;
    let second = family.command(&["reload"]).stdout(Stdio::null()).spawn().expect("it runs");
    family.logged("the reload is waiting for worker 1").await;
    let workers = pids(&family.status().await);
    assert_eq!(workers.len(), 2, "one serves and one drains: {workers:?}");
    calls.end().await;
    let mut second = second;
    process::wait(&mut second, LIMIT).expect("it ends");
    assert_ne!(family.call("pid").await.expect("served"), Value::Int(workers[1].into()));
}

/// As systemd stops a service: what is left ends with the main process.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_after_an_upgrade_has_the_old_one_finish_first() {
    let config = CONFIG.replace("500ms", "5s").replace("\"1s\"", "\"60s\"");
    let mut family = Family::with(&config).await;
    let old = family.pid();
    let calls = Calls::begin(&family, LIFE).await;
    succeeds(&family, &["upgrade"]).await;
    let new = family.named("dirtyd.2.pid").await;
    signal(new, Signal::SIGTERM);
    family.gone(&[new]).await;
    assert!(!is_alive(old), "the new one waits for it");
    assert!(family.ended().await.success());
    assert_eq!(calls.end().await[1], "result");
}

/// A reload of all pools, of which the second has code that does not load.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_release_that_does_not_load_in_one_pool_replaces_nothing_in_the_other() {
    let apps = repository().join("tests/supervision/apps");
    let path = python_path(&apps);
    let moody = format!(
        "[[pool]]\nname = \"moody\"\npython = {:?}\nenv = {{ PYTHONPATH = {path:?} }}\napp = [{{ path = \"life:Moody\" }}]\n",
        python()
    );
    let family = Family::with(&format!("{CONFIG}{moody}")).await;
    let before = pids(&family.status().await);
    fs::write(family.path("mood"), "raise").expect("file");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    assert!(reload.stderr.contains("in a bad mood"), "{}", reload.stderr);
    let serving = async || {
        let status = family.status().await;
        (status.workers.len() == 2).then_some(pids(&status))
    };
    assert_eq!(eventually(LIMIT, "the new ones have left", serving).await, before);
    fs::remove_file(family.path("mood")).expect("file");
    succeeds(&family, &["reload"]).await;
}
