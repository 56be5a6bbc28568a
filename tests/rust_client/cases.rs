//! Every case of `tests/conformance/cases.json`.

use std::{fs, path::Path, time::Duration};

use dirtyd_client::{Args, CallFailure, Client, Error, Value};
use serde_json::Value as Json;
use tokio::time::timeout;
use tonic::Code;

use super::{
    daemon,
    report::{Outcome, Report},
    tagged::{same, text, value},
};
use crate::support::{LIMIT, eventually, repository};

#[tokio::test(flavor = "multi_thread")]
async fn every_conformance_case_passes() {
    let daemon = daemon().await;
    let file = repository().join("tests/conformance/cases.json");
    let cases: Json = serde_json::from_slice(&fs::read(file).expect("cases")).expect("JSON");
    let cases = cases["cases"].as_array().expect("cases");
    let (mut failed, mut report) = (0, Report::create("rust"));
    for case in cases {
        let (name, closed) = (text(&case["name"]), daemon.path(text(&case["name"])));
        let outcome = call(&daemon.client(), case, &closed).await;
        let verdict = check(case, &outcome, &closed).await;
        report.write(name, &verdict, &outcome);
        match verdict {
            Ok(()) => println!("PASS {name}"),
            Err(why) => {
                failed += 1;
                println!("FAIL {name}: {}", why.chars().take(500).collect::<String>());
            }
        }
    }
    println!("{} passed, {failed} failed, 0 skipped", cases.len() - failed);
    assert_eq!(failed, 0);
}

async fn call(client: &Client, case: &Json, closed: &Path) -> Outcome {
    let client = match case["timeout_ms"].as_u64() {
        Some(millis) => client.clone().with_timeout(Duration::from_millis(millis)),
        None => client.clone(),
    };
    let mut args = Args::from(list(&case["args"], closed));
    for (name, inner) in case["kwargs"].as_object().into_iter().flatten() {
        args = args.kwarg(name, value(inner, closed));
    }
    let (app, action) = (text(&case["app"]), text(&case["action"]));
    match text(&case["method"]) {
        "execute" => match client.execute(app, action, args).await {
            Ok(result) => Outcome { values: vec![result], error: None },
            Err(error) => Outcome { values: vec![], error: Some(error) },
        },
        _ => read(&client, app, action, args, chunks_to_read(case)).await,
    }
}

/// How many chunks the case reads before it leaves the stream.
fn chunks_to_read(case: &Json) -> usize {
    case["cancel_after"].as_u64().map_or(usize::MAX, |chunks| chunks as usize)
}

async fn check(case: &Json, outcome: &Outcome, closed: &Path) -> Result<(), String> {
    let Outcome { values, error } = outcome;
    let expect = &case["expect"];
    if let Some(expected) = expect.get("error") {
        return check_error(expected, values.len(), error.as_ref());
    }
    if let Some(error) = error {
        return Err(format!("{error:?}"));
    }
    let expected = match expect.get("result") {
        Some(result) => vec![value(result, closed)],
        None => list(expect.get("chunks").unwrap_or(&expect["first_chunks"]), closed),
    };
    if !same(&Value::List(values.clone()), &Value::List(expected)) {
        return Err("the values differ".to_owned());
    }
    if chunks_to_read(case) < usize::MAX {
        let closing =
            eventually(LIMIT, "the generator is closed", async || closed.exists().then_some(()));
        let closed = timeout(Duration::from_secs(2), closing).await;
        closed.map_err(|_| "the generator was not closed within 2 s")?;
    }
    Ok(())
}

/// Up to `limit` chunks, then the stream is dropped.
async fn read(client: &Client, app: &str, action: &str, args: Args, limit: usize) -> Outcome {
    let mut values = Vec::new();
    let mut stream = match client.stream(app, action, args).await {
        Ok(stream) => stream,
        Err(error) => return Outcome { values, error: Some(error) },
    };
    while values.len() < limit {
        match stream.next().await {
            Some(Ok(chunk)) => values.push(chunk),
            Some(Err(error)) => return Outcome { values, error: Some(error) },
            None => break,
        }
    }
    Outcome { values, error: None }
}

fn check_error(expected: &Json, chunks: usize, error: Option<&Error>) -> Result<(), String> {
    let Some(Error::Call(failure)) = error else {
        return Err(format!("expected an error of the arbiter, got {error:?}"));
    };
    let CallFailure { code, reason, message, remote_type, remote_traceback, .. } = &**failure;
    let wanted = |key: &str, holds: &dyn Fn(&str) -> bool| {
        expected.get(key).and_then(Json::as_str).is_none_or(holds)
    };
    let camel = |name: &str| name.replace('_', "").to_lowercase();
    let traceback = remote_traceback.as_deref().unwrap_or_default();
    let all = wanted("code", &|name| camel(name) == camel(&format!("{code:?}")))
        && wanted("reason", &|name| camel(name) == camel(&format!("{reason:?}")))
        && wanted("message_contains", &|part| message.contains(part))
        && wanted("remote_type", &|name| remote_type.as_deref() == Some(name))
        && wanted("traceback_contains", &|part| traceback.contains(part))
        && expected.get("after_chunks").is_none_or(|count| *count == chunks)
        && *code != Code::Ok;
    if all { Ok(()) } else { Err(format!("{failure:?}")) }
}

fn list(tagged: &Json, closed: &Path) -> Vec<Value> {
    tagged.as_array().expect("a list").iter().map(|inner| value(inner, closed)).collect()
}
