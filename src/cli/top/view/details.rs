//! One app, or one worker, from nearer by.

use bytesize::ByteSize;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    grid::{put, put_all},
    lists,
    look::Look,
    take_top,
};
use crate::{
    cli::{
        shown::{duration, short, state_name},
        top::model::{Model, Place, Stacks},
    },
    printable::count,
};

/// The most lines of an app's error.
const MOST_LINES: usize = 8;
/// The most rows of the calls above a worker's stacks.
const CALLS_OVER_STACKS: u16 = 4;

/// Draws the app that is looked at.
pub fn of_app(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(app) = model.app_of_place() else { return };
    let mut rest = area;
    let title = take_top(&mut rest, 1);
    buffer.set_style(title, look.title(false));
    let name = format!("APP {}  pool {}", app.app, app.pool);
    put_all(buffer, title, &[(name, look.title(false))]);
    let facts = format!(
        "{}/{} workers  {} running  {}/{} queued  {} served  {} failed",
        app.ready_workers,
        app.allocated_workers,
        app.running,
        app.queued,
        app.max_queue,
        app.served,
        app.failed,
    );
    put_all(buffer, take_top(&mut rest, 1), &[(facts, Style::new())]);
    let error: Vec<_> = app.last_error.trim_end().lines().collect();
    // Its end says what is wrong.
    for line in error.iter().skip(error.len().saturating_sub(MOST_LINES)) {
        let at = take_top(&mut rest, 1);
        if at.height > 0 {
            put(buffer, (at.x, at.y), at.width, line, look.bad(), false);
        }
    }
    lists::calls(model, look, rest, buffer);
}

/// Draws the worker that is looked at.
pub fn of_worker(
    model: &Model,
    stacks: Option<&Stacks>,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut rest = area;
    let title = take_top(&mut rest, 1);
    buffer.set_style(title, look.title(false));
    match model.worker_of_place() {
        Some(worker) => {
            let name = format!("WORKER {} (pid {})  ", worker.id, worker.pid);
            let state = state_name(worker.state()).to_owned();
            let seat = format!("  seat {}/{}", worker.pool, worker.seat);
            put_all(
                buffer,
                title,
                &[
                    (name, look.title(false)),
                    (state, lists::state_style(worker.state(), look)),
                    (seat, look.title(false)),
                ],
            );
            let facts = format!(
                "{}/{} calls  {} served  age {}  memory {}  CPU {}",
                worker.in_flight,
                worker.threads,
                worker.served,
                short(duration(worker.age)),
                ByteSize::b(worker.memory_bytes),
                lists::processor(worker, model),
            );
            put_all(buffer, take_top(&mut rest, 1), &[(facts, Style::new())]);
            let apps = take_top(&mut rest, 1);
            let failed = match worker.failed_apps.as_slice() {
                [] => String::new(),
                failed => format!("  not loaded: {}", failed.join(", ")),
            };
            let loaded = format!("apps {}", worker.apps.join(", "));
            put_all(buffer, apps, &[(loaded, look.faint()), (failed, look.bad())]);
        }
        None => {
            let Place::Worker(id, _) = model.place else { return };
            put_all(buffer, title, &[(format!("WORKER {id}  it has ended"), look.title(false))]);
        }
    }
    let Some(stacks) = stacks else { return lists::calls(model, look, rest, buffer) };
    lists::calls(model, look, take_top(&mut rest, CALLS_OVER_STACKS), buffer);
    draw_stacks(stacks, look, rest, buffer);
}

fn draw_stacks(stacks: &Stacks, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut rest = area;
    let title = take_top(&mut rest, 1);
    if title.height == 0 {
        return;
    }
    buffer.set_style(title, look.title(true));
    let put_title = |buffer: &mut Buffer, text: &str| {
        put(buffer, (title.x, title.y), title.width, text, look.title(true), false);
    };
    let (text, style) = match &stacks.text {
        None => return put_title(buffer, "STACKS  the worker is asked …"),
        Some(Ok(text)) => (text, Style::new()),
        Some(Err(why)) => (why, look.bad()),
    };
    let lines = text.lines().count();
    let of = count(lines as u64, "line");
    put_title(
        buffer,
        &format!("STACKS  line {} of {of}  j k scroll, t asks again", stacks.first + 1),
    );
    for line in text.lines().skip(stacks.first) {
        let at = take_top(&mut rest, 1);
        if at.height == 0 {
            return;
        }
        put(buffer, (at.x, at.y), at.width, line, style, false);
    }
}
