//! The command line against a running daemon: what it prints, and its exit code.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::support::{Daemon, repository, signal};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

#[tokio::test(flavor = "multi_thread")]
async fn call_prints_one_line_of_json() {
    let daemon = Daemon::start(APP).await;
    for (argument, printed) in [
        ("[1,2.5,null,true,\"ü\"]", "[1,2.5,null,true,\"ü\"]"),
        ("{\"$bytes\":\"AP8=\"}", "{\"$bytes\":\"AP8=\"}"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.0", "1.0"),
    ] {
        let output = daemon.run(&["call", "lab:Lab", "echo", argument]).await;
        assert_eq!((output.code, output.stdout), (Some(0), format!("{printed}\n")), "{argument}");
        assert_eq!(output.stderr, "");
    }
    let output = daemon.run(&["call", "lab:Lab", "echo", "--kwargs", "{\"value\":7}"]).await;
    assert_eq!(output.stdout, "7\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_says_why_on_stderr() {
    let daemon = Daemon::start(APP).await;
    for (arguments, words) in [
        (
            &["call", "lab:Lab", "fail", "\"no row\""][..],
            &[
                "the app raised",
                "ValueError: no row",
                "code UNKNOWN",
                "the traceback in the app:\nTraceback",
            ][..],
        ),
        (&["call", "lab:Nobody", "echo"], &["APP_NOT_FOUND: app `lab:Nobody`", "code NOT_FOUND"]),
        (
            &["call", "lab:Lab", "count", "3"],
            &["ACTION_STREAMS: the action streams; use `dirtyd stream`"],
        ),
        (&["call", "lab:Lab", "patient", "\"p\"", "--timeout", "200ms"], &["deadline"]),
        (&["call", "lab:Lab", "echo", "hello"], &["argument 1", "JSON"]),
        (&["stream", "lab:Lab", "fail_after", "1"], &["RuntimeError: after 1"]),
        (&["call", "lab:Lab", "echo", "--socket", "gone.sock"], &["gone.sock", "dirtyd serve"]),
    ] {
        let output = daemon.run(arguments).await;
        assert!(output.code.is_some_and(|code| code != 0), "{arguments:?}: {output:?}");
        for word in words {
            assert!(output.stderr.contains(word), "{word:?} in {}", output.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_prints_each_chunk_as_it_comes() {
    let daemon = Daemon::start(APP).await;
    let mut child = daemon
        .command(&["stream", "lab:Lab", "steps", "\"s\"", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("dirtyd stream");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    for number in 0..3 {
        // The generator waits for the file, and so for this line.
        let line = lines.next().expect("a line").expect("UTF-8");
        assert_eq!(line, number.to_string());
        daemon.touch(&format!("s.{number}"));
    }
    assert!(lines.next().is_none());
    assert!(child.wait().expect("wait").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_ends_the_stream_quietly() {
    let daemon = Daemon::start(APP).await;
    let mut child = daemon
        .command(&["stream", "lab:Lab", "ticks", "\"t\""])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dirtyd stream");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    lines.next().expect("a line").expect("UTF-8");
    drop(lines);
    daemon.seen("t.closed").await;
    let output = child.wait_with_output().expect("wait");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_for_people_and_for_programs() {
    let daemon = Daemon::start(&format!("workers = 2\n{APP}")).await;
    daemon.run(&["call", "lab:Lab", "echo", "1"]).await;
    let table = daemon.run(&["status"]).await;
    assert_eq!(table.code, Some(0));
    let status = daemon.status().await;
    for worker in &status.workers {
        assert!(table.stdout.contains(&worker.pid.to_string()), "{}", table.stdout);
    }
    for word in ["WORKER", "STATE", "ready", "IN FLIGHT", "QUEUED", "OLDEST WAIT", "lab:Lab", "2/2"]
    {
        assert!(table.stdout.contains(word), "{word:?} in {}", table.stdout);
    }
    let output = daemon.run(&["status", "--json"]).await;
    let json: Json = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["workers"][0]["state"], json!("ready"));
    assert_eq!(json["apps"][0]["app"], json!("lab:Lab"));
    assert_eq!(json["apps"][0]["served"], json!(1));
    assert_eq!((&json["workers"][0]["seat"], &json["workers"][1]["seat"]), (&json!(0), &json!(1)));
    assert!(json["workers"][0]["cpu_seconds"].as_f64().is_some_and(|used| used > 0.0), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_watched_until_the_daemon_ends() {
    let mut daemon = Daemon::start(APP).await;
    let mut child = daemon
        .command(&["status", "--json", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dirtyd status");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut served = || -> Json {
        let line = lines.next().expect("another one").expect("UTF-8");
        serde_json::from_str::<Json>(&line).expect("JSON")["apps"][0]["served"].clone()
    };
    assert_eq!(served(), json!(0));
    daemon.run(&["call", "lab:Lab", "echo", "1"]).await;
    while served() != json!(1) {}
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("dirtyd"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_accepts_and_names_what_is_wrong() {
    let daemon = Daemon::launch_with(
        APP,
        &[
            ("typo.toml", "workers = 1\ntimout = \"1s\"\n[[app]]\npath = \"lab:Lab\"\n"),
            ("duration.toml", "timeout = \"soon\"\n[[app]]\npath = \"lab:Lab\"\n"),
            ("many.toml", "workers = 2\n[[app]]\npath = \"lab:Lab\"\nworkers = 3\n"),
        ],
    )
    .await;
    let good = daemon.run(&["check", "--config", "dirtyd.toml"]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("valid") && good.stdout.contains("lab:Lab"), "{}", good.stdout);
    for (file, words) in [
        ("typo.toml", &["typo.toml", "line 2", "timout"][..]),
        ("duration.toml", &["line 1", "timeout"]),
        ("many.toml", &["line 4", "lab:Lab", "workers = 3"]),
        ("absent.toml", &["absent.toml"]),
    ] {
        let bad = daemon.run(&["check", "--config", file]).await;
        assert!(bad.code.is_some_and(|code| code != 0), "{bad:?}");
        for word in words {
            assert!(bad.stderr.contains(word), "{word:?} in {}", bad.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_a_file_that_means_the_same() {
    let daemon = Daemon::launch_with(APP, &[]).await;
    let flags = ["--max-queue", "7", "--dirty-timeout", "90", "--reload", "swap"];
    let checked = daemon.run(&[&["check", "--config", "dirtyd.toml"][..], &flags].concat()).await;
    for (line, from) in [
        ("max_queue = 7 ", "# --max-queue"),
        ("timeout = \"90s\" ", "# --timeout"),
        ("reload = \"swap\" ", "# --reload"),
        ("path = \"lab:Lab\" ", "# line "),
    ] {
        let is_it = |found: &str| found.starts_with(line) && found.contains(from);
        assert!(checked.stdout.lines().any(is_it), "{line} in {}", checked.stdout);
    }
    assert!(checked.stdout.contains("# the default"), "{}", checked.stdout);
    std::fs::write(daemon.path("printed.toml"), &checked.stdout).expect("a file");
    let again = daemon.run(&["check", "--config", "printed.toml"]).await;
    let values = |text: &str| -> Vec<String> {
        // The first line names the file.
        text.lines()
            .skip(1)
            .map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned())
            .collect()
    };
    assert_eq!(values(&again.stdout), values(&checked.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_with_a_bad_value_says_what_was_expected() {
    let daemon = Daemon::launch_with(APP, &[]).await;
    for (flag, value, words) in [
        ("--max-queue", "many", "should be a whole number"),
        ("--boot-timeout", "0", "must be longer than 0s"),
        ("--busy-wait", "1s", "at most \"10ms\""),
        ("--max-qeue", "1", "'--max-queue'"),
    ] {
        let bad = daemon.run(&["check", "--app", "lab:Lab", flag, value]).await;
        assert_eq!(bad.code, Some(2), "{bad:?}");
        assert!(bad.stderr.contains(flag) && bad.stderr.contains(words), "{}", bad.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_is_not_there_and_a_variable_that_sets_nothing() {
    let wrong = "chdir = \"nowhere\"\n\ncommand = [\"./no-worker\"]\n[[app]]\npath = \"x\"\n";
    let daemon = Daemon::launch_with(APP, &[("wrong.toml", wrong)]).await;
    let bad = daemon.run(&["check", "--config", "wrong.toml"]).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    for words in [
        "wrong.toml, line 1: chdir: there is no directory",
        "wrong.toml, line 3: command: there is no",
    ] {
        assert!(bad.stderr.contains(words), "{}", bad.stderr);
    }
    let mut check = daemon.command(&["check", "--config", "dirtyd.toml"]);
    check.env("DIRTYD_WROKERS", "3");
    let output = check.output().expect("dirtyd runs");
    let warning = "warning: the environment variable DIRTYD_WROKERS is not known; did you mean DIRTYD_WORKERS?";
    assert!(String::from_utf8_lossy(&output.stderr).contains(warning), "{output:?}");
    assert!(output.status.success());
}

/// Without `--load` no app is imported.
#[tokio::test(flavor = "multi_thread")]
async fn check_loads_each_app_once_if_asked() {
    let two = "workers = 2\ndirty_apps = [\"lab:Lab\", \"lab:Missing\"]\n";
    let daemon = Daemon::launch_with(APP, &[("two.toml", two)]).await;
    let plain = daemon.run(&["check", "--config", "two.toml"]).await;
    assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""), "{plain:?}");
    let loaded = daemon.run(&["check", "--load", "--config", "two.toml"]).await;
    assert_eq!(loaded.code, Some(1), "{loaded:?}");
    assert!(loaded.stdout.contains("#   lab:Lab: ready after"), "{}", loaded.stdout);
    assert!(loaded.stdout.contains("#   lab:Missing: it does not load"), "{}", loaded.stdout);
    assert!(loaded.stderr.contains("dirtyd: app `lab:Missing`: "), "{}", loaded.stderr);
    assert!(loaded.stderr.contains("lab has no"), "{}", loaded.stderr);
    let good = daemon.run(&["check", "--load", "--config", "dirtyd.toml"]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_says_where_its_values_come_from() {
    let daemon = Daemon::launch_with(APP, &[]).await;
    let mut serve = daemon.command(&["serve", "--config", "dirtyd.toml", "--socket", "other.sock"]);
    serve.env("DIRTYD_WORKERS", "1").env("DIRTYD_TIMEOT", "1").env("DIRTYD_PROC_NAME", "other");
    let mut serve = serve.stderr(Stdio::piped()).spawn().expect("dirtyd runs");
    let mut log =
        BufReader::new(serve.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let said = log.find(|line| line.contains("configuration from")).expect("it says so");
    for words in
        ["configuration from dirtyd.toml, socket from --socket", "workers from $DIRTYD_WORKERS"]
    {
        assert!(said.contains(words), "{said}");
    }
    let warned = log.find(|line| line.contains("DIRTYD_TIMEOT")).expect("it warns");
    assert!(warned.contains("WARN") && warned.contains("did you mean DIRTYD_TIMEOUT?"), "{warned}");
    signal(i32::try_from(serve.id()).expect("a pid"), Signal::SIGTERM);
    assert!(serve.wait().expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_schema_for_editors() {
    let daemon = Daemon::launch_with(APP, &[]).await;
    let printed = daemon.run(&["check", "--schema"]).await;
    let shipped = std::fs::read_to_string(repository().join("docs/dirtyd.schema.json"));
    assert_eq!(printed.stdout, shipped.expect("the schema"));
}

/// As in a script that starts one and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_a_daemon_that_is_starting() {
    let daemon = Daemon::begin(&format!("socket = \"d.sock\"\n{APP}"), &[]);
    let call = ["call", "lab:Lab", "echo", "1", "--connect-timeout", "30s"];
    let output = daemon.run(&call).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "1\n"), "{}", output.stderr);
    // The file that it was started with says where it is.
    let mut status = daemon.command(&["status", "--config", "dirtyd.toml"]);
    let status = status.env("DIRTYD_SOCKET", "of-another.sock").output().expect("dirtyd runs");
    assert!(status.status.success(), "{status:?}");
    let text = daemon.run(&["stream", "lab:Lab", "echo", "\"a line\\n\"", "--raw"]).await;
    assert_eq!(text.stdout, "a line\n", "{}", text.stderr);
}

/// As with `| head`: nothing is printed for nobody, and nothing breaks for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_breaks_no_command() {
    let daemon = Daemon::start(APP).await;
    let mut reload = daemon.command(&["reload", "--wait"]).stdout(Stdio::piped()).spawn();
    let reload = reload.as_mut().expect("dirtyd reload");
    drop(reload.stdout.take());
    let ended = crate::support::process::wait(reload, crate::support::LIMIT);
    assert!(ended.expect("it ends").success());
}
