//! `dirtyd calls`: the calls that wait or run, for people or as JSON.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use dirtyd_client::proto::v1::{CallState, CallStatus, ListCallsResponse, WaitReason};
use serde_json::{Value as Json, json};

use super::{
    connect::{Target, block_on},
    json::line,
    operator::Operator,
    shown::{call_name, call_state, duration, seconds, short},
    table,
};
use crate::printable::{count, one_line};

/// `dirtyd calls`.
#[derive(Debug, clap::Args)]
pub struct Calls {
    /// Only the calls of this app [default: of all apps]
    #[arg(long, default_value = "", hide_default_value = true)]
    app: String,
    /// The most calls to list, the oldest ones
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Calls {
    /// Prints the calls.
    ///
    /// # Errors
    /// dirtyd is not there.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let calls = Operator::at(&self.target).await?.calls(self.app, self.limit).await?;
            let mut out = io::stdout().lock();
            match self.json {
                true => writeln!(out, "{}", line(&as_json(&calls)))?,
                false => write!(out, "{}", as_text(&calls))?,
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn as_text(calls: &ListCallsResponse) -> String {
    let header =
        ["CALL", "ACTION", "STATE", "AGE", "TIME LEFT", "WORKER", "USER", "REQUEST", "WAITS FOR"];
    let right = ["CALL", "AGE", "TIME LEFT"];
    let rows: Vec<_> = calls.calls.iter().map(row).collect();
    let mut text = table::render(&header, &right, &rows);
    if calls.left_out > 0 {
        let more = count(calls.left_out, "more call");
        text += &format!("\n{more}; these are the oldest, --limit shows more\n");
    }
    text
}

fn row(call: &CallStatus) -> Vec<String> {
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    vec![
        call.id.to_string(),
        call_name(call),
        state(call),
        short(duration(call.age)),
        call.time_left.map_or("-".to_owned(), |left| short(duration(Some(left)))),
        match call.worker_id {
            0 => "-".to_owned(),
            id => format!("{id} (pid {})", call.worker_pid),
        },
        or_none(one_line(&call.peer).into_owned()),
        or_none(call.request_id.clone()),
        or_none(call.waits_for.clone()),
    ]
}

/// Where a call is, and how far its stream is.
fn state(call: &CallStatus) -> String {
    match call.state() {
        CallState::Queued => call_state(CallState::Queued).to_owned(),
        state if call.stream => {
            format!("{}, {}", call_state(state), count(call.chunks, "chunk"))
        }
        state => call_state(state).to_owned(),
    }
}

fn as_json(calls: &ListCallsResponse) -> Json {
    let call = |call: &CallStatus| {
        json!({
            "id": call.id, "app": call.app, "action": call.action,
            "state": call_state(call.state()), "stream": call.stream, "chunks": call.chunks,
            "age_seconds": seconds(call.age), "running_seconds": seconds(call.running_for),
            "time_left_seconds": seconds(call.time_left), "worker_id": call.worker_id,
            "worker_pid": call.worker_pid, "peer": call.peer, "request_id": call.request_id,
            "wait_reason": wait_reason(call.wait_reason()), "waits_for": call.waits_for,
        })
    };
    json!({
        "calls": calls.calls.iter().map(call).collect::<Vec<_>>(),
        "left_out": calls.left_out,
    })
}

fn wait_reason(reason: WaitReason) -> Option<&'static str> {
    match reason {
        WaitReason::Unspecified => None,
        WaitReason::Slot => Some("slot"),
        WaitReason::Worker => Some("worker"),
        WaitReason::UserLimit => Some("user_limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> ListCallsResponse {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let running = CallStatus {
            id: 17,
            app: "shop:Shop".to_owned(),
            action: "render".to_owned(),
            state: CallState::Running.into(),
            stream: true,
            chunks: 3,
            age: seconds(75),
            running_for: seconds(70),
            worker_id: 2,
            worker_pid: 4711,
            peer: "uid 33 (pid 900)".to_owned(),
            request_id: "r\x1b[2J".to_owned(),
            ..CallStatus::default()
        };
        let queued = CallStatus {
            id: 18,
            app: "shop:Shop".to_owned(),
            action: "price".to_owned(),
            state: CallState::Queued.into(),
            age: seconds(5),
            time_left: seconds(25),
            peer: "uid 33 (pid 900)".to_owned(),
            request_id: "18".to_owned(),
            wait_reason: WaitReason::Slot.into(),
            waits_for: "a free slot".to_owned(),
            ..CallStatus::default()
        };
        ListCallsResponse { calls: vec![running, queued], left_out: 2 }
    }

    #[test]
    fn a_table_says_where_each_call_is_and_what_it_waits_for() {
        let text = as_text(&calls());
        let lines: Vec<_> = text.lines().collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(lines[1]).join(" "),
            "17 shop:Shop.render running, 3 chunks 1m15s - 2 (pid 4711) uid 33 (pid 900) r\\x1b[2J -"
        );
        assert_eq!(
            words(lines[2]).join(" "),
            "18 shop:Shop.price queued 5.0s 25.0s - uid 33 (pid 900) 18 a free slot"
        );
        assert_eq!(lines[4], "2 more calls; these are the oldest, --limit shows more");
    }

    #[test]
    fn json_has_null_for_what_there_is_not() {
        let json = as_json(&calls());
        assert_eq!(json["calls"][0]["time_left_seconds"], Json::Null);
        assert_eq!(json["calls"][0]["running_seconds"], json!(70.0));
        assert_eq!(json["calls"][0]["wait_reason"], Json::Null);
        assert_eq!(json["calls"][1]["wait_reason"], json!("slot"));
        assert_eq!(json["calls"][1]["running_seconds"], Json::Null);
        assert_eq!(json["left_out"], json!(2));
    }
}
