//! What an operator sees for a good and for a bad configuration.

mod change;
mod errors;
mod fuzz;
mod pages;
mod schema;

use std::{fs, time::Duration};

use super::{Config, ConfigError, Raw, ReloadMode, parse_duration, parse_size};

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("dirtyd.toml");
    fs::write(&path, text).expect("write configuration");
    Config::from_raw(Raw::from_file(&path)?)
}

fn error(text: &str) -> String {
    load(text).expect_err("must be refused").to_string()
}

#[test]
fn the_example_of_the_design_is_valid() {
    let config = load(
        r#"
        socket = "/run/dirtyd/dirtyd.sock"
        socket_mode = "0660"
        allowed_uids = [33, 1000]
        workers = 4
        timeout = "300s"
        max_message_size = "64MiB"
        reload = "swap"
        [[app]]
        path = "myapp.ml:MLApp"
        workers = 2
        timeout = "60s"
        max_queue = 64
        [[pool]]
        name = "thumbs"
        command = ["./thumbs-worker"]
        workers = 2
        app = [{ path = "Thumbs" }]
        "#,
    )
    .expect("valid");
    assert_eq!(config.socket_mode, 0o660);
    assert_eq!(config.reload, ReloadMode::Swap);
    assert_eq!(config.limits.max_message_size, 64 << 20);
    let [default, thumbs] = config.pools.as_slice() else { panic!("two pools") };
    assert_eq!(default.apps[0].timeout, Duration::from_secs(60));
    assert_eq!((default.apps[0].workers, default.apps[0].queue.calls), (Some(2), 64));
    assert!(thumbs.command[0].starts_with('/') && thumbs.command[0].ends_with("/./thumbs-worker"));
    assert_eq!(thumbs.apps[0].timeout, Duration::from_secs(300));
}

#[test]
fn gunicorn_names_are_accepted() {
    let config = load(
        "dirty_apps = [\"a:A:2\"]\ndirty_workers = 3\ndirty_threads = 2\ndirty_timeout = 12\ndirty_graceful_timeout = 5",
    )
    .expect("valid");
    let pool = &config.pools[0];
    assert_eq!((pool.workers, pool.threads.get()), (3, 2));
    assert_eq!((pool.apps[0].path.as_str(), pool.apps[0].workers), ("a:A", Some(2)));
    assert_eq!(pool.apps[0].timeout, Duration::from_secs(12));
    assert_eq!(config.graceful_timeout, Duration::from_secs(5));
}

#[test]
fn defaults_are_those_of_the_design() {
    let config = load("dirty_apps = [\"a:A\"]").expect("valid");
    let pool = &config.pools[0];
    assert_eq!((pool.workers, pool.threads.get()), (1, 1));
    assert_eq!(pool.command, ["python3", "-m", "dirtyd.worker"]);
    assert_eq!((pool.apps[0].timeout, pool.apps[0].queue.calls), (Duration::from_secs(300), 1024));
    assert_eq!((config.socket_mode, config.graceful_timeout), (0o600, Duration::from_secs(30)));
}

#[test]
fn the_limits_of_a_queue_are_inherited_and_0_bytes_are_none() {
    let config = load(
        r#"
        max_queue_bytes = "1MiB"
        app = [{ path = "a:A" }, { path = "b:B", max_queue_bytes = 0 }]
        [[pool]]
        name = "p"
        max_queue = 7
        max_queue_bytes = 2000
        app = [{ path = "c:C" }, { path = "d:D", max_queue_bytes = "1kB" }]
        "#,
    )
    .expect("valid");
    let apps = config.pools.iter().flat_map(|pool| &pool.apps);
    let limits: Vec<_> = apps.map(|app| (app.queue.calls, app.queue.bytes)).collect();
    assert_eq!(limits, [(1024, Some(1 << 20)), (1024, None), (7, Some(2000)), (7, Some(1000))]);
    let config = load("dirty_apps = [\"a:A\"]").expect("valid");
    assert_eq!(config.pools[0].apps[0].queue.bytes, Some(256 << 20));
}

#[test]
fn a_pool_may_switch_recycling_off() {
    let config = load(
        r#"
        max_requests = 10
        max_lifetime = "1h"
        max_memory = "1GiB"
        [[pool]]
        name = "inherits"
        command = ["true"]
        app = [{ path = "A" }]
        [[pool]]
        name = "off"
        command = ["true"]
        max_requests = 0
        max_lifetime = 0
        max_memory = 0
        app = [{ path = "B" }]
        "#,
    )
    .expect("valid");
    let recycle = |name: &str| {
        let pool = config.pools.iter().find(|pool| pool.name == name).expect("the pool");
        let recycle = pool.recycle;
        (recycle.max_requests, recycle.max_lifetime, recycle.max_memory)
    };
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(recycle("inherits"), (Some(10), hour, Some(1 << 30)));
    assert_eq!(recycle("off"), (None, None, None));
}

#[test]
fn flags_beat_environment_beats_file() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("dirtyd.toml");
    fs::write(&path, "workers = 2\nthreads = 2\ntimeout = \"2s\"\n[[app]]\npath = \"file:App\"\n")
        .expect("write");
    let vars = [("DIRTYD_THREADS", "3"), ("DIRTYD_TIMEOUT", "3s"), ("DIRTYD_SOCKET", "/x/y.sock")];
    let vars = vars.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    let timeout = ("timeout".to_owned(), "4s".to_owned());
    let apps = vec!["flag:App".parse().expect("app")];
    let raw = Raw::from_file(&path)
        .expect("file")
        .overlaid_with(Raw::from_env(vars).expect("environment"))
        .overlaid_with(Raw::from_flags([timeout].into_iter()).expect("flags"))
        .overlaid_with(Raw::of_apps(apps));
    let config = Config::from_raw(raw).expect("valid");
    let pool = &config.pools[0];
    assert_eq!((pool.workers, pool.threads.get()), (2, 3));
    assert_eq!(pool.apps.len(), 1, "the flag's apps replace the file's");
    assert_eq!((pool.apps[0].path.as_str(), pool.apps[0].timeout.as_secs()), ("flag:App", 4));
    assert_eq!(config.socket.to_str(), Some("/x/y.sock"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let message = error("workers = 1\nwrokers = 2\n");
    assert!(message.contains("line 2") && message.contains("wrokers"), "{message}");
    assert!(message.contains("dirtyd.toml"), "{message}");
}

#[test]
fn a_bad_duration_says_what_was_expected() {
    let message = error("timeout = \"5 parsecs\"\n");
    assert!(message.contains("line 1") && message.contains("300s"), "{message}");
}

#[test]
fn contradictions_name_key_line_and_remedy() {
    let message = error("workers = 2\n\n[[app]]\npath = \"a:A\"\nworkers = 3\n");
    assert!(
        message.contains("line 5") && message.contains("raise the pool's workers"),
        "{message}"
    );
    let message = error("[[app]]\npath = \"a:A:1\"\nworkers = 2\n");
    assert!(message.contains("contradicts"), "{message}");
    assert!(error("threads = 0\ndirty_apps = [\"a:A\"]").contains("threads"));
    assert!(error("").contains("--app"));
    assert!(error("dirty_apps = [\"a:A\", \"a:A\"]").contains("twice"));
    assert!(error("proc_name = \"../x\"\ndirty_apps = [\"a:A\"]").contains("proc_name"));
    assert!(error("[[pool]]\nname = \"p\"").contains("line 1"));
}

#[test]
fn what_could_only_go_wrong_later_is_refused() {
    for key in ["boot_timeout", "heartbeat", "restart_window"] {
        let text = format!(
            "[[pool]]\nname = \"p\"\n{key} = 0\ncommand = [\"true\"]\napp = [{{ path = \"A\" }}]"
        );
        let end = format!("dirtyd.toml, line 3: pool.{key}: it must be longer than 0s");
        assert!(error(&text).ends_with(&end), "{}", error(&text));
    }
    let app = "dirty_apps = [\"a:A\"]";
    let window = error(&format!("stream_window_bytes = \"10EiB\"\n{app}"));
    let end = "line 1: stream_window_bytes: it is \"10485760TiB\", but must be at most \"1TiB\"";
    assert!(window.ends_with(end), "{window}");
    let filter = error(&format!("log_filter = \"dirtyd=loud\"\n{app}"));
    assert!(filter.contains("line 1: log_filter: `dirtyd=loud`: "), "{filter}");
}

#[test]
fn a_bad_variable_is_named() {
    let vars = [("DIRTYD_WORKERS".to_owned(), "many".to_owned())];
    let message = Raw::from_env(vars.into_iter()).expect_err("refused").to_string();
    assert!(message.starts_with("$DIRTYD_WORKERS: it is the string \"many\""), "{message}");
}

#[test]
fn units() {
    assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("0.25"), Ok(Duration::from_millis(250)));
    assert!(parse_duration("-1").is_err() && parse_duration("").is_err());
    assert!(parse_duration("1e300").is_err());
    assert_eq!(parse_size("64MiB"), Ok(64 << 20));
    assert!(parse_size("big").is_err());
}

#[test]
fn what_check_prints_keeps_the_path_of_an_app() {
    for (path, name, workers) in
        [("a:A:2:1", "a:A:2", 1), ("a:A:1", "a:A", 1), ("a:A:2x:1", "a:A:2x", 1)]
    {
        let text = format!("command = [\"true\"]\ndirty_apps = [\"{path}\"]");
        let config = load(&text).expect("valid");
        let app = &config.pools[0].apps[0];
        assert_eq!((app.path.as_str(), app.workers), (name, Some(workers)));
        let again = load(&config.to_toml()).expect("valid");
        assert_eq!(again, config);
    }
}

#[test]
fn check_says_where_each_value_comes_from() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("dirtyd.toml");
    let pool = "[[pool]]\nname = \"p\"\napp = [{ path = \"b:B\" }]\n";
    fs::write(&path, format!("workers = 2\n\ntimeout = \"2s\"\n[[app]]\npath = \"a:A\"\n{pool}"))
        .expect("write");
    let vars = [("DIRTYD_TIMEOUT", "3s"), ("DIRTYD_THREADS", "2")];
    let vars = vars.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    let flags = [("socket".to_owned(), "/x/y.sock".to_owned())];
    let raw = Raw::from_file(&path)
        .expect("file")
        .overlaid_with(Raw::from_env(vars).expect("environment"))
        .overlaid_with(Raw::from_flags(flags.into_iter()).expect("flags"));
    let config = Config::from_raw(raw).expect("valid");
    let shown = config.to_toml();
    let comment = |line: &str| {
        let found = shown.lines().find(|shown| shown.starts_with(line));
        found.and_then(|line| Some(line.split_once(" # ")?.1.to_owned()))
    };
    for (line, from) in [
        ("socket = ", "--socket"),
        (
            "runtime_dir = ",
            "the socket's directory, unless others may write there; else the private one of this user",
        ),
        ("workers = 2", "line 1"),
        ("timeout = \"3s\"", "$DIRTYD_TIMEOUT, which beats line 3"),
        ("threads = 2", "$DIRTYD_THREADS"),
        ("max_queue = 1024", "the default"),
        ("path = \"b:B\"", "line 8"),
    ] {
        assert_eq!(comment(line).as_deref(), Some(from), "{line}\n{shown}");
    }
    assert_eq!(shown.matches("which beats line 3").count(), 4, "both pools and apps inherit it");
    assert_eq!(
        config.from_outside(),
        [
            "socket from --socket",
            "threads from $DIRTYD_THREADS",
            "timeout from $DIRTYD_TIMEOUT, which beats line 3",
        ]
    );
}

#[test]
fn a_variable_that_sets_nothing_is_a_warning_with_the_nearest_one() {
    let vars = ["DIRTYD_WROKERS", "DIRTYD_ENV", "DIRTYD_CONFIG", "DIRTYD_HOOK_EVENT", "HOME"];
    let vars = vars.into_iter().map(|name| (name.to_owned(), "x".to_owned()));
    let raw = Raw::from_env(vars)
        .expect("read")
        .overlaid_with(Raw::of_apps(vec!["a:A".parse().expect("app")]));
    let config = Config::from_raw(raw).expect("valid");
    assert_eq!(
        config.warnings(),
        [
            "the environment variable DIRTYD_ENV is not known; `env` can only be set in the file",
            "the environment variable DIRTYD_WROKERS is not known; did you mean DIRTYD_WORKERS?"
        ]
    );
}

#[test]
fn a_variable_is_toml_or_a_string_without_quotes() {
    let vars = [
        ("DIRTYD_LOG_FILTER", "info,dirtyd=debug"),
        ("DIRTYD_PROC_NAME", "7"),
        ("DIRTYD_COMMAND", "[\"sleep\", \"1\"]"),
        ("DIRTYD_DIRTY_APPS", "[\"a:A\"]"),
        ("DIRTYD_TIMEOUT", "1m30s"),
        ("DIRTYD_ENV", "ignored: env stands in the file alone"),
        ("DIRTYD_HOOK_EVENT", "ignored: it is no key"),
    ];
    let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_raw(Raw::from_env(vars).expect("read")).expect("valid");
    assert_eq!((config.log.filter.as_str(), config.proc_name.as_str()), ("info,dirtyd=debug", "7"));
    assert_eq!(config.pools[0].command, ["sleep", "1"]);
    assert_eq!(config.pools[0].apps[0].timeout, Duration::from_secs(90));
}

#[test]
fn a_variable_cannot_set_another_key() {
    let vars = [("DIRTYD_LOG_FILTER".to_owned(), "\"info\"\nworkers = 9".to_owned())];
    let message = Raw::from_env(vars.into_iter()).expect_err("refused").to_string();
    assert!(message.contains("DIRTYD_LOG_FILTER"), "{message}");
}

#[test]
fn check_says_who_may_do_what() {
    let who = |text: &str| {
        let text = format!("{text}\n[[app]]\npath = \"a:A\"");
        load(&text).expect("valid").who_may_do_what()
    };
    let open = who("socket_mode = \"0660\"");
    assert!(open[0].starts_with("root and the user that dirtyd runs as: every app"), "{open:?}");
    let others = |admits: &str| {
        format!("anyone else whom the socket's mode 0660{admits}: every app, admin = \"read\"")
    };
    assert_eq!(open[1], others(" admits"));
    let of_group = who("socket_mode = \"0660\"\nsocket_group = \"root\"");
    assert_eq!(of_group[1], others(" and group `root` admit"));
    let listed = who("[[access]]\nuids = [33, 34]\napps = [\"shop:*\"]\nmax_queue = 5\nweight = 2");
    assert_eq!(
        listed[1..],
        [
            "uid 33, uid 34: shop:*, admin = \"read\"; at most 5 calls waiting; weight 2",
            "nobody else may connect"
        ]
    );
}
