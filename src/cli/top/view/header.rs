//! The first lines: who this is, how it is, and its pools.

use std::time::SystemTime;

use bytesize::ByteSize;
use dirtyd_client::proto::v1::{ArbiterStatus, StatusResponse};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{grid::put_all, look::Look};
use crate::{
    cli::{
        shown::{duration, short},
        top::model::{Model, pools},
    },
    printable::count,
};

/// Its height.
pub const HEIGHT: u16 = 3;

/// Draws it.
pub fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(picture) = &model.picture else {
        let why = model.lost.as_ref().map_or("asking dirtyd …", |(_, why)| why);
        put_all(buffer, area, &[(why.to_owned(), look.strong())]);
        return;
    };
    let Some(arbiter) = &picture.status.arbiter else { return };
    let lines = [
        name(model, arbiter, picture.wall, look),
        figures(model, &picture.status, arbiter),
        sizes(&picture.status, look),
    ];
    for (line, parts) in lines.iter().enumerate().take(usize::from(area.height)) {
        let line = Rect { y: area.y + line as u16, height: 1, ..area };
        put_all(buffer, line, parts);
    }
}

type Parts = Vec<(String, Style)>;

fn name(model: &Model, arbiter: &ArbiterStatus, wall: SystemTime, look: Look) -> Parts {
    let started = arbiter.started_at.and_then(|at| SystemTime::try_from(at).ok());
    let up = started.and_then(|at| wall.duration_since(at).ok()).unwrap_or_default();
    let (state, style) = match (&model.lost, arbiter.draining) {
        (Some((since, why)), _) => {
            let ago = short(model.now.saturating_duration_since(*since));
            (format!("NO ANSWER for {ago}: {why}"), look.bad())
        }
        (None, true) => ("draining".to_owned(), look.changing()),
        (None, false) => ("serving".to_owned(), look.good()),
    };
    let about = format!(" `{}`  pid {}  up {}  ", arbiter.proc_name, arbiter.pid, short(up));
    vec![
        (format!("dirtyd {}", arbiter.version), look.strong()),
        (about, Style::new()),
        (state, style),
    ]
}

fn figures(model: &Model, status: &StatusResponse, arbiter: &ArbiterStatus) -> Parts {
    let rate: f64 = status.apps.iter().map(|app| app.calls_per_second).sum();
    let processors = model.history.processors_of_arbiter();
    let text = format!(
        "{}  {}/s  {}  memory {}  CPU {}  held {}",
        count(arbiter.calls, "call"),
        rate_text(rate),
        count(arbiter.connections, "connection"),
        ByteSize::b(arbiter.memory_bytes),
        percent(processors.or_else(|| over_life(arbiter, model))),
        ByteSize::b(arbiter.held_bytes),
    );
    vec![(text, Style::new())]
}

/// The processors that the dirty arbiter has used on average: what is known at first.
fn over_life(arbiter: &ArbiterStatus, model: &Model) -> Option<f64> {
    let used = duration(Some(arbiter.cpu_time?)).as_secs_f64();
    let started = SystemTime::try_from(arbiter.started_at?).ok()?;
    let life = model.picture.as_ref()?.wall.duration_since(started).ok()?.as_secs_f64();
    (life > 0.0).then_some(used / life)
}

fn sizes(status: &StatusResponse, look: Look) -> Parts {
    let mut parts = Vec::new();
    for (name, pool) in pools(status) {
        let between = if parts.is_empty() { "pools  " } else { "  " };
        parts.push((between.to_owned(), look.faint()));
        parts.push((name.to_owned(), look.strong()));
        let style = if pool.ready < pool.workers { look.changing() } else { Style::new() };
        parts.push((format!(" {}/{} ready", pool.ready, pool.workers), style));
        parts.push((format!(", {}/{} busy", pool.taken, pool.slots), Style::new()));
    }
    parts
}

/// A rate in at most five characters.
pub fn rate_text(rate: f64) -> String {
    match rate {
        rate if rate < 0.005 => "0".to_owned(),
        rate if rate < 1.0 => format!("{rate:.2}"),
        rate if rate < 100.0 => format!("{rate:.1}"),
        rate if rate < 100_000.0 => format!("{rate:.0}"),
        rate => format!("{:.0}k", rate / 1e3),
    }
}

/// A part of a processor, in per cent.
pub fn percent(processors: Option<f64>) -> String {
    processors.map_or("-".to_owned(), |part| format!("{:.0}%", part * 100.0))
}
