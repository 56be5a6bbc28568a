//! The lists of apps, workers and calls.

use dirtyd_client::proto::v1::{
    AppStatus, CallState, CallStatus, Quantiles, WorkerState, WorkerStatus,
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    grid::{Column, List, Row},
    header::{percent, rate_text},
    look::Look,
};
use crate::cli::{
    shown::{call_state, duration, short, size, state_name},
    top::model::{Busy, Model, Pane, Place},
};

/// The columns of the lengths of a queue.
const TREND: u16 = 8;

const APPS: [Column; 8] = [
    Column::words("APP", 12, 40, 0),
    Column::number("CALLS/S", 7, 2),
    Column::number("RUN", 3, 0),
    Column::number("QUEUED", 9, 0),
    Column::words("5 MIN", TREND, 60, 4),
    Column::number("WAIT 50/99%", 13, 3),
    Column::number("RUN 50/99%", 13, 1),
    Column::number("FAIL/S", 6, 5),
];

/// What one picture alone does not tell.
const NEED_A_PAST: [usize; 2] = [4, 7];

/// Draws the apps.
pub fn apps(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    // The lengths of queues are as wide as the screen has room for.
    let fixed: u16 = APPS.iter().map(|column| column.width + 1).sum();
    let trend = TREND + area.width.saturating_sub(fixed + 40).min(50);
    let rows: Vec<_> =
        model.apps().into_iter().map(|app| app_row(app, model, trend, look)).collect();
    let list = List {
        name: "APPS",
        left_out: 0,
        empty: nothing(model, "no app is configured"),
        columns: &APPS,
        hidden: if look.is_live { &[] } else { &NEED_A_PAST },
        rows: &rows,
        chosen: model.app.index(),
        is_active: model.place == Place::Overview && model.pane == Pane::Apps,
    };
    list.draw(look, area, buffer);
}

fn app_row(app: &AppStatus, model: &Model, trend: u16, look: Look) -> Row {
    let is_bad = !app.last_error.is_empty();
    let mut row = Row { is_bad, ..Row::default() };
    row.cell(app.app.clone(), if is_bad { look.bad() } else { Style::new() });
    row.cell(rate_text(app.calls_per_second), Style::new());
    row.cell(app.running.to_string(), Style::new());
    let is_full = app.queued > 0 && app.queued >= app.max_queue;
    let style = if is_full { look.bad() } else { Style::new() };
    row.cell(format!("{}/{}", app.queued, app.max_queue), style);
    let depths = model.history.depths(&app.app, model.now, usize::from(trend));
    row.cell(bars(&depths), look.changing());
    row.cell(quantiles(app.queue_wait.as_ref()), Style::new());
    row.cell(quantiles(app.run_time.as_ref()), Style::new());
    let failed = model.history.failed_per_second(&app.app);
    let style = if failed.is_some_and(|rate| rate > 0.0) { look.bad() } else { Style::new() };
    row.cell(failed.map_or("-".to_owned(), rate_text), style);
    row
}

/// Lengths as bars. The highest bar is the longest one, and at least 7.
fn bars(depths: &[Option<u32>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = u64::from(depths.iter().flatten().copied().max().unwrap_or(0).max(7));
    let bar = |depth: &Option<u32>| {
        depth.map_or(' ', |depth| BARS[(u64::from(depth) * 7).div_ceil(top) as usize])
    };
    depths.iter().map(bar).collect()
}

fn quantiles(times: Option<&Quantiles>) -> String {
    times.map_or("-".to_owned(), |times| {
        format!("{}/{}", short(duration(times.p50)), short(duration(times.p99)))
    })
}

const WORKERS: [Column; 9] = [
    Column::words("WORKER", 8, 8, 0),
    Column { right: true, ..Column::words("SEAT", 10, 24, 4) },
    Column::number("PID", 7, 3),
    Column::words("STATE", 8, 8, 0),
    Column::words("CALL", 14, 80, 1),
    Column::number("FOR", 6, 2),
    Column::number("AGE", 6, 7),
    Column::number("MEM", 5, 5),
    Column::number("CPU", 5, 6),
];

/// Draws the workers.
pub fn workers(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let rows: Vec<_> =
        model.workers().into_iter().map(|row| worker_row(row, model, look)).collect();
    let list = List {
        name: "WORKERS",
        left_out: 0,
        empty: nothing(model, "there are no workers now"),
        columns: &WORKERS,
        hidden: &[],
        rows: &rows,
        chosen: model.worker.index(),
        is_active: model.place == Place::Overview && model.pane == Pane::Workers,
    };
    list.draw(look, area, buffer);
}

fn worker_row(Busy { worker, call, others }: Busy<'_>, model: &Model, look: Look) -> Row {
    let mut row = Row { is_bad: !worker.failed_apps.is_empty(), ..Row::default() };
    row.cell(worker.id.to_string(), Style::new());
    row.cell(format!("{}/{}", worker.pool, worker.seat), Style::new());
    row.cell(worker.pid.to_string(), Style::new());
    row.cell(state_name(worker.state()), state_style(worker.state(), look));
    let what = match (call, others) {
        (None, _) if worker.in_flight > 0 => format!("{} calls", worker.in_flight),
        (None, _) => "-".to_owned(),
        // The action first: where there is no room, the app is the part that is known.
        (Some(call), 0) => format!("{} of {}", call.action, call.app),
        (Some(call), others) => format!("+{others} {} of {}", call.action, call.app),
    };
    let is_left = call.is_some_and(|call| call.state() == CallState::Abandoned);
    row.cell(what, if is_left { look.changing() } else { Style::new() });
    row.cell(call.map_or("-".to_owned(), |call| short(duration(call.running_for))), Style::new());
    row.cell(short(duration(worker.age)), Style::new());
    row.cell(size(worker.memory_bytes), Style::new());
    row.cell(processor(worker, model), Style::new());
    row
}

/// The processors that a worker uses; at first, what it has used on average.
pub fn processor(worker: &WorkerStatus, model: &Model) -> String {
    let over_life = || {
        let used = duration(Some(worker.cpu_time?)).as_secs_f64();
        let life = duration(worker.age).as_secs_f64();
        (life > 0.0).then_some(used / life)
    };
    percent(model.history.processors(worker.id).or_else(over_life))
}

/// The style of a worker's state.
pub fn state_style(state: WorkerState, look: Look) -> Style {
    match state {
        WorkerState::Ready => look.good(),
        WorkerState::Booting | WorkerState::Draining => look.changing(),
        WorkerState::Unspecified => Style::new(),
    }
}

const CALLS: [Column; 8] = [
    Column::words("CALL", 16, 20, 0),
    Column::words("ACTION", 12, 30, 0),
    Column::words("STATE", 9, 9, 1),
    Column::number("AGE", 6, 0),
    Column::number("LEFT", 6, 2),
    Column::words("WORKER", 6, 8, 3),
    Column::words("WAITS FOR / REQUEST", 16, 50, 4),
    Column::words("USER", 8, 30, 5),
];

/// Draws the calls of the app or worker that is looked at.
pub fn calls(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let rows: Vec<_> = model.calls().into_iter().map(|call| call_row(call, look)).collect();
    let unknown = model.picture.as_ref().and_then(|picture| picture.calls.as_ref().err());
    let left_out = model.picture.as_ref().map_or(0, |picture| picture.left_out);
    let list = List {
        name: "CALLS",
        left_out,
        empty: unknown.map_or(nothing(model, "no call waits or runs"), String::as_str),
        columns: &CALLS,
        hidden: &[],
        rows: &rows,
        chosen: model.call.index(),
        is_active: true,
    };
    list.draw(look, area, buffer);
}

fn call_row(call: &CallStatus, look: Look) -> Row {
    let mut row = Row::default();
    row.cell(call.id.to_string(), Style::new());
    row.cell(call.action.clone(), Style::new());
    let style = match call.state() {
        CallState::Running => look.good(),
        CallState::Queued | CallState::Abandoned => look.changing(),
        CallState::Unspecified => Style::new(),
    };
    row.cell(call_state(call.state()), style);
    row.cell(short(duration(call.age)), Style::new());
    let left = call.time_left.map_or("-".to_owned(), |left| short(duration(Some(left))));
    row.cell(left, Style::new());
    let worker = if call.worker_id == 0 { "-".to_owned() } else { call.worker_id.to_string() };
    row.cell(worker, Style::new());
    let what = if call.waits_for.is_empty() { &call.request_id } else { &call.waits_for };
    row.cell(what.clone(), Style::new());
    row.cell(call.peer.clone(), Style::new());
    row
}

/// What stands where a list has no rows.
fn nothing<'a>(model: &Model, otherwise: &'a str) -> &'a str {
    match (model.picture.is_some(), model.filter.is_empty()) {
        (false, _) => "not known yet",
        (true, false) => "nothing passes the filter; esc clears it",
        (true, true) => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn bars_are_as_high_as_the_longest_and_empty_where_nothing_is_known() {
        assert_eq!(bars(&[None, Some(0), Some(1), Some(7)]), " ▁▂█");
        assert_eq!(bars(&[Some(1), Some(50), Some(100), Some(0)]), "▂▅█▁");
        assert_eq!(bars(&[Some(u32::MAX)]), "█");
    }
}
