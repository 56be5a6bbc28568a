//! What this client saw, in the form that the reports of all clients share: see `tests/conformance/README.md`.

use std::{
    env,
    fs::{File, create_dir_all},
    io::Write as _,
    path::PathBuf,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dirtyd_client::{Error, Value};
use serde_json::{Map, Value as Json, json};

/// What came of a call: its chunks, or its one result, and the error that ended it.
pub struct Outcome {
    pub values: Vec<Value>,
    pub error: Option<Error>,
}

/// The report in `$DIRTYD_CONFORMANCE_REPORT`; without the variable it goes nowhere.
pub struct Report(Option<File>);

impl Report {
    pub fn create(client: &str) -> Self {
        Self(env::var_os("DIRTYD_CONFORMANCE_REPORT").map(|folder| {
            let folder = PathBuf::from(folder);
            create_dir_all(&folder).expect("a folder for reports");
            File::create(folder.join(format!("{client}.jsonl"))).expect("a report")
        }))
    }

    /// Adds the line of a case.
    pub fn write(&mut self, case: &str, verdict: &Result<(), String>, outcome: &Outcome) {
        let Some(file) = &mut self.0 else { return };
        let (verdict, why) = match verdict {
            Ok(()) => ("PASS", ""),
            Err(why) => ("FAIL", why.as_str()),
        };
        let outcome = outcome.to_json();
        let line = json!({ "case": case, "verdict": verdict, "why": why, "outcome": outcome });
        writeln!(file, "{line}").expect("a line of the report");
    }
}

impl Outcome {
    fn to_json(&self) -> Json {
        let mut outcome = Map::new();
        outcome.insert("values".to_owned(), self.values.iter().map(tagged).collect());
        if let Some(error) = &self.error {
            outcome.insert("error".to_owned(), failure(error));
        }
        outcome.into()
    }
}

fn failure(error: &Error) -> Json {
    match error {
        Error::Call(failure) => json!({
            "code": upper(&format!("{:?}", failure.code)),
            "reason": upper(&format!("{:?}", failure.reason)),
            "message": failure.message,
            "exception_type": failure.remote_type.as_deref().unwrap_or_default(),
            "traceback": failure.remote_traceback.as_deref().unwrap_or_default(),
        }),
        Error::DeadlineExceeded => json!({ "code": "DEADLINE_EXCEEDED" }),
        other => json!({ "message": other.to_string() }),
    }
}

/// `NotFound` as gRPC and `docs/errors.md` write it.
fn upper(camel: &str) -> String {
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// A value as the cases write it.
fn tagged(value: &Value) -> Json {
    match value {
        Value::Null => json!({ "null": true }),
        Value::Bool(value) => json!({ "bool": value }),
        Value::Int(value) => json!({ "int": value.to_string() }),
        Value::Double(value) => json!({ "double": value.to_string() }),
        Value::String(value) => json!({ "string": value }),
        Value::Bytes(value) => json!({ "bytes": STANDARD.encode(value) }),
        Value::List(values) => json!({ "list": values.iter().map(tagged).collect::<Vec<_>>() }),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, inner)| (key.clone(), tagged(inner)));
            json!({ "map": entries.collect::<Map<_, _>>() })
        }
        Value::Tensor(tensor) => json!({ "tensor": {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data": STANDARD.encode(&tensor.data),
        }}),
    }
}
