//! The stacks of a worker as a person reads them: what runs a call first, and of each
//! stack the frame that was called last at the end, as in a traceback.

use dirtyd_client::proto::v1::{CallStatus, GetStacksResponse, Stack, StackFrame, WorkerStatus};

use crate::{
    cli::{
        shown::{call_name, duration, short, state_name},
        which::name,
    },
    printable::{lines, one_line},
};

/// The stacks of a worker; `calls` are those that are known.
pub fn of(worker: &WorkerStatus, stacks: &GetStacksResponse, calls: &[CallStatus]) -> String {
    let mut text = format!(
        "{} of pool `{}`, {}, {}/{} calls\n",
        name(worker),
        one_line(&worker.pool),
        state_name(worker.state()),
        worker.in_flight,
        worker.threads
    );
    if !stacks.note.is_empty() {
        text += &format!("  {}\n", indented(&stacks.note));
    }
    if stacks.stacks.is_empty() {
        let id = worker.id;
        text += &format!(
            "  `dirtyd stacks {id} --native` looks at a Python worker from outside, with py-spy, if that is installed\n"
        );
    }
    let (busy, idle): (Vec<_>, Vec<_>) = stacks.stacks.iter().partition(|stack| stack.call_id != 0);
    for stack in busy.into_iter().chain(idle) {
        text += "\n";
        text += &one(stack, calls);
    }
    text
}

fn one(stack: &Stack, calls: &[CallStatus]) -> String {
    let thread = one_line(&stack.name);
    if stack.call_id == 0 && !stack.note.is_empty() {
        // A thread of the runtime, say: where it is now tells enough of it.
        let now = stack.frames.last().map(self::frame).unwrap_or_default();
        return format!("  {thread}, {}:\n{now}", indented(&stack.note));
    }
    let mut text = match (stack.call_id, calls.iter().find(|call| call.id == stack.call_id)) {
        (0, _) => format!("  {thread}:\n"),
        (id, None) => format!("  call {id}, in {thread}:\n"),
        (id, Some(call)) => format!(
            "  call {id}, {}, running for {}, in {thread}:\n",
            one_line(&call_name(call)),
            short(duration(call.running_for)),
        ),
    };
    text.extend(stack.frames.iter().map(self::frame));
    if !stack.note.is_empty() {
        text += &format!("    {}\n", indented(&stack.note));
    }
    if stack.frames.is_empty() && stack.note.is_empty() {
        text += "    (no frames)\n";
    }
    text
}

fn frame(frame: &StackFrame) -> String {
    let place = match frame.line {
        0 => one_line(&frame.file).into_owned(),
        line => format!("{}:{line}", one_line(&frame.file)),
    };
    let source = match frame.source.trim() {
        "" => String::new(),
        source => format!("        {}\n", one_line(source)),
    };
    format!("    {place} in {}\n{source}", one_line(&frame.function))
}

/// A note of several lines.
fn indented(note: &str) -> String {
    lines(note.trim()).replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerStatus {
        WorkerStatus {
            id: 3,
            pid: 4711,
            pool: "default".to_owned(),
            state: 2,
            in_flight: 1,
            threads: 1,
            ..WorkerStatus::default()
        }
    }

    fn frame(function: &str, line: u32, source: &str) -> StackFrame {
        let (function, source) = (function.to_owned(), source.to_owned());
        StackFrame { function, file: "shop.py".to_owned(), line, source }
    }

    #[test]
    fn what_runs_a_call_comes_first_with_the_innermost_frame_last() {
        let idle = Stack { name: "watch".to_owned(), ..Stack::default() };
        let own = Stack {
            name: "pulse".to_owned(),
            frames: vec![frame("run", 1, ""), frame("beat", 2, "sleep()")],
            note: "a thread of the runtime".to_owned(),
            ..Stack::default()
        };
        let busy = Stack {
            name: "MainThread".to_owned(),
            call_id: 7,
            frames: vec![frame("Shop.hang", 12, "  self.wait()"), frame("Shop.wait\x1b", 20, "")],
            ..Stack::default()
        };
        let stacks = GetStacksResponse {
            worker_pid: 4711,
            stacks: vec![idle, own, busy],
            note: String::new(),
        };
        let call = CallStatus {
            id: 7,
            app: "shop:Shop".to_owned(),
            action: "hang".to_owned(),
            running_for: Some(prost_types::Duration { seconds: 12, nanos: 0 }),
            ..CallStatus::default()
        };
        let expected = "\
worker 3 (pid 4711) of pool `default`, ready, 1/1 calls

  call 7, shop:Shop.hang, running for 12.0s, in MainThread:
    shop.py:12 in Shop.hang
        self.wait()
    shop.py:20 in Shop.wait\\x1b

  watch:
    (no frames)

  pulse, a thread of the runtime:
    shop.py:2 in beat
        sleep()
";
        assert_eq!(of(&worker(), &stacks, &[call]), expected);
    }

    #[test]
    fn a_worker_that_does_not_answer_says_why_and_what_else_shows_it() {
        let note = "it did not answer\nwithin 2s".to_owned();
        let stacks = GetStacksResponse { worker_pid: 4711, stacks: Vec::new(), note };
        let text = of(&worker(), &stacks, &[]);
        assert!(text.contains("  it did not answer\n    within 2s\n"), "{text}");
        assert!(text.contains("`dirtyd stacks 3 --native`"), "{text}");
    }
}
