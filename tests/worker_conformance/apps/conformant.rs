//! The contract of the worker conformance suite, in Rust.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use dirtyd_client::{
    Args, Value,
    worker::{
        self, AppError, Apps, Code, DirtyApp, Output, current_call,
        metrics::{Counter, Gauge, Histogram, Merge},
    },
};

static COUNTED: Counter = Counter::new("counted", "What the suite counts").unit("things");
static LEVEL: Gauge = Gauge::new("level", "A gauge").merge(Merge::Max);
static STEP: Histogram = Histogram::new("step", "A histogram", &[1.0, 2.0]).unit("seconds");

/// Serves the apps of the contract.
pub fn serve() -> ExitCode {
    worker::serve(Apps::new().app::<App>("conformant:App").app::<Flaky>("conformant:Flaky"))
}

fn directory() -> PathBuf {
    env::var_os("CONFORMANT_DIR").expect("the suite sets it").into()
}

struct App;

impl DirtyApp for App {
    const WORKERS: Option<u32> = Some(2);

    async fn init() -> Result<Self, AppError> {
        Ok(Self)
    }

    async fn execute(&self, action: &str, mut args: Args) -> Result<Output, AppError> {
        Ok(match action {
            "echo" => args.take::<Value>(0, "value")?.into(),
            "arguments" => {
                let kwargs = args.kwargs.into_iter().collect::<Value>();
                [("args", Value::List(args.args)), ("kwargs", kwargs)]
                    .into_iter()
                    .collect::<Value>()
                    .into()
            }
            "repeat" => {
                let (text, count): (String, i64) = (args.take(0, "text")?, args.take(1, "count")?);
                text.repeat(usize::try_from(count)?).into()
            }
            "context" => context()?.into(),
            "fail" => return Err(AppError::new("ValueError", args.take::<String>(0, "message")?)),
            "chosen" => {
                let error = AppError::new("RowMissing", "no such row");
                return Err(error.with_code(Code::NotFound).with_fact("row", 7));
            }
            "unserialisable" => return Err(AppError::not_serializable("inner[0]: a set")),
            "count" => Output::iter((0..args.take(0, "limit")?).map(Ok::<i64, _>)),
            "fail_after" => {
                let limit: i64 = args.take(0, "limit")?;
                let failure = AppError::new("RuntimeError", format!("after {limit}"));
                Output::iter((0..limit).map(Ok).chain([Err(failure)]))
            }
            "blobs" => {
                let (size, count): (i64, i64) = (args.take(0, "size")?, args.take(1, "count")?);
                let blob = vec![0_u8; usize::try_from(size)?];
                Output::iter(
                    (0..count).map(move |_| Ok(blob.as_slice().into()) as Result<Value, _>),
                )
            }
            "watched" => {
                let mark = Mark(args.take::<String>(1, "path")?.into());
                let numbers = 0..args.take::<i64>(0, "limit")?;
                Output::iter(numbers.map(move |number| {
                    let _closed_with_the_stream = &mark;
                    Ok(number)
                }))
            }
            "nap" => {
                tokio::time::sleep(seconds(&mut args)?).await;
                ().into()
            }
            "busy" => busy(seconds(&mut args)?)?.into(),
            "measure" => {
                let (amount, kind) = (args.take(0, "amount")?, args.take::<String>(1, "kind")?);
                COUNTED.add(amount, &[("kind", kind.as_str())]);
                ().into()
            }
            "measure_all" => {
                let value = args.take(0, "value")?;
                LEVEL.set(value, &[]);
                STEP.observe(value, &[]);
                ().into()
            }
            "measure_and_be_busy" => {
                COUNTED.add(args.take(0, "amount")?, &[("kind", "busy")]);
                busy(Duration::try_from_secs_f64(args.take(1, "seconds")?)?)?.into()
            }
            "traceparent" => current_call().traceparent().map_or(Value::Null, Value::from).into(),
            "worst" => panic!("on purpose"),
            _ => return Err(AppError::unknown_action(action)),
        })
    }

    async fn close(&self) {
        COUNTED.inc(&[("kind", "close")]);
        fs::write(directory().join("closed"), "").expect("write");
    }
}

fn seconds(args: &mut Args) -> Result<Duration, AppError> {
    Ok(Duration::try_from_secs_f64(args.take(0, "seconds")?)?)
}

fn busy(time: Duration) -> Result<(), AppError> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        current_call().check()?;
        thread::sleep(Duration::from_millis(5)); // the work
    }
    Ok(())
}

fn context() -> Result<Value, AppError> {
    let call = current_call();
    let color = call.metadata("color").ok_or_else(|| AppError::new("KeyError", "color"))?;
    let entries: [(&str, Value); 4] = [
        ("request_id", call.request_id().into()),
        ("color", std::str::from_utf8(color)?.into()),
        ("cancelled", call.is_cancelled().into()),
        ("time_left", call.time_left().as_secs_f64().into()),
    ];
    Ok(entries.into_iter().collect())
}

/// Writes to its file when it is dropped.
struct Mark(PathBuf);

impl Drop for Mark {
    fn drop(&mut self) {
        fs::write(Path::new(&self.0), "closed").expect("write");
    }
}

struct Flaky;

impl DirtyApp for Flaky {
    async fn init() -> Result<Self, AppError> {
        match directory().join("healed").exists() {
            true => Ok(Self),
            false => Err(AppError::new("RuntimeError", "not healed yet")),
        }
    }

    async fn execute(&self, action: &str, _: Args) -> Result<Output, AppError> {
        Err(AppError::unknown_action(action))
    }
}
