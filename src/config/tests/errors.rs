//! Errors name the file, the line, the key, what was found and the remedy.

use super::error;

#[test]
fn every_key_is_checked_where_it_is_written() {
    for (text, end) in [
        ("\ntimeout = 0", "line 2: timeout: it must be longer than 0s"),
        ("threads = 0", "line 1: threads: it is 0, but must be at least 1"),
        ("workers = 5000", "line 1: workers: it is 5000, but must be at most 4096"),
        (
            "max_message_size = \"3GiB\"",
            "line 1: max_message_size: it is \"3GiB\", but must be at most \"2GiB\", the limit of protobuf",
        ),
        (
            "max_queue = \"many\"",
            "line 1: max_queue: it is the string \"many\", but should be a whole number up to 4294967295",
        ),
        (
            "allowed_uids = 33",
            "line 1: allowed_uids: it is the number 33, but should be a list of whole numbers",
        ),
        (
            "command = [\"./w\", 1]",
            "line 1: command: item 2: it is the number 1, but should be a string",
        ),
        ("env = { A = 1 }", "line 1: env: A: it is the number 1, but should be a string"),
        (
            "[[access]]\nusers = [\"root\", \"nobody-of-this-name\"]",
            "line 2: access.users: there is no user `nobody-of-this-name` on this machine",
        ),
        ("[[access]]\nweight = 0", "line 2: access.weight: it is 0, but must be at least 1"),
        ("command = []", "line 1: command: it is empty; write the program and its arguments"),
        (
            "[hooks]\ntimeout = true",
            "line 2: hooks.timeout: it is `true`, but should be a duration such as \"300s\", or seconds",
        ),
        ("hooks = 1", "line 1: hooks: it is the number 1, but should be a table"),
        (
            "pool = {}",
            "line 1: pool: it is a table, but should be a list of tables; write `[[pool]]`",
        ),
        (
            "[app]\npath = \"a:A\"",
            "line 1: app: it is a table, but should be a list of tables; write `[[app]]`",
        ),
        (
            "app = [\"a:A\"]",
            "line 1: app: it is the string \"a:A\", but should be a table such as { path = \"a:A\" }",
        ),
        (
            "socket_mode = 660",
            "line 1: socket_mode: it is the number 660, but should be a file mode such as \"0660\"",
        ),
        (
            "reload = \"slow\"",
            "line 1: reload: it is the string \"slow\", but should be \"surge\" or \"swap\"",
        ),
    ] {
        let message = error(text);
        assert!(message.ends_with(&format!("dirtyd.toml, {end}")), "{message}");
    }
}

#[test]
fn what_contradicts_something_has_its_place_too() {
    let app = "[[app]]\npath = \"a:A\"\n";
    let long = format!("\nsocket = \"/{}\"\n{app}", "x".repeat(200));
    for (text, end) in [
        ("workers = 2", "dirtyd.toml: no app is configured: give --app"),
        (&long, "dirtyd.toml, line 2: socket: `/x"),
        (
            "\ndirty_apps = [\"a:A\", \"a:A\"]",
            "dirtyd.toml, line 2: app `a:A`: it is configured twice",
        ),
        (
            "workers = 2\n[[app]]\npath = \"a:A\"\nworkers = 3",
            "dirtyd.toml, line 4: app `a:A`: workers = 3",
        ),
        (
            "[[app]]\n\npath = \"a:A:1\"\nworkers = 2",
            "line 4: app `a:A`: `workers = 2` contradicts",
        ),
        ("[[app]]\n\npath = \"a:A:3\"", "line 3: app `a:A`: workers = 3, but its pool has 1"),
    ] {
        let message = error(text);
        assert!(message.contains(end), "{message}");
    }
}

#[test]
fn a_path_that_python_cannot_import_is_refused_where_it_is_written() {
    for (path, remedy) in [
        ("counter.Counter", "write it as `module:Class`; did you mean `counter:Counter`?"),
        ("counter", "write it as `module:Class`; a worker in another language needs a `command`"),
        ("counter.py:Counter:x", "write it as `module:Class`, both as Python would import them"),
        ("my-app:App", "write it as `module:Class`, both as Python would import them"),
        (":App", "write it as `module:Class`, both as Python would import them"),
    ] {
        let message = error(&format!("\n[[app]]\npath = \"{path}\""));
        let end = format!("dirtyd.toml, line 3: app `{path}`: {remedy}");
        assert!(message.ends_with(&end), "{message}");
    }
}

#[test]
fn an_unknown_key_gets_the_nearest_known_one() {
    for (text, key, nearest) in [
        ("wrokers = 2", "line 1: wrokers", "did you mean `workers`?"),
        ("max_qeue = 2", "line 1: max_qeue", "did you mean `max_queue`?"),
        ("dirty_worker = 2", "line 1: dirty_worker", "did you mean `dirty_workers`?"),
        ("[[apps]]\npath = \"a:A\"", "line 1: apps", "did you mean `app`?"),
        ("[[app]]\ntime_out = 1", "line 2: app.time_out", "did you mean `timeout`?"),
        ("[[pool]]\n[[pool.app]]\npth = 1", "line 3: pool.app.pth", "did you mean `path`?"),
        ("[hooks]\nzzz = 1", "line 2: hooks.zzz", "known are on_dirty_starting, dirty_post_fork"),
        ("zzz = 1", "line 1: zzz", "`dirtyd serve --help` lists"),
    ] {
        let message = error(text);
        assert!(message.contains(key) && message.contains(nearest), "{message}");
    }
}

#[test]
fn a_key_under_both_of_its_names_is_refused() {
    let message = error("dirty_timeout = 1\ntimeout = 2");
    assert!(
        message
            .ends_with("line 2: timeout: `timeout` is set already, under its other name; keep one"),
        "{message}"
    );
}

#[test]
fn the_first_error_of_the_file_is_told() {
    let message = error("zzz = 1\naaa = 2");
    assert!(message.contains("line 1: zzz"), "{message}");
}

#[test]
fn an_entry_of_access_is_about_somebody_and_stands_alone() {
    let app = "[[app]]\npath = \"a:A\"\n";
    for (text, end) in [
        (
            format!("{app}[[access]]\nweight = 2"),
            "line 3: access: the entry matches no one; give `uids`, `users` or `groups`",
        ),
        (
            format!("allowed_uids = [1]\n{app}[[access]]\nuids = [2]"),
            "line 4: access: `allowed_uids` is the short form of an [[access]] entry; keep one of the two",
        ),
    ] {
        let error = error(&text);
        assert!(error.ends_with(end), "{error}");
    }
}

#[test]
fn what_operators_see_is_checked() {
    let app = "[[app]]\npath = \"a:A\"\n[observe]\n";
    for (text, said) in [
        ("listen = \"0.0.0.0:9464\"", "can be reached from other machines"),
        ("listen = \"localhost:9464\"", "is neither an address"),
        ("listen = \"\"", "is empty"),
        ("listen = \"127.0.0.1:1\"\noperate = true", "anybody on this machine"),
        ("access_log_sample = 1.5", "should be a number from 0.0 to 1.0"),
        ("otlp_endpoint = \"collector:4317\"", "is no URL of a collector"),
        ("operate = \"yes\"", "should be `true` or `false`"),
    ] {
        let found = error(&format!("{app}{text}"));
        assert!(found.contains(said), "{text}: {found}");
    }
    for text in [
        "listen = \"[::1]:9464\"\noperate = true\ntoken_file = \"token\"",
        "listen = \"observe.sock\"\noperate = true",
    ] {
        super::load(&format!("{app}{text}")).expect(text);
    }
}
