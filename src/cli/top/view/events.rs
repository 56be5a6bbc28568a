//! The events, the latest at the end.

use std::time::SystemTime;

use dirtyd_client::proto::v1::{EventKind, WatchEventsResponse};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    grid::{put, put_all},
    look::Look,
};
use crate::cli::top::model::{Model, Pane, Place};

/// Draws them.
pub fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let happened = model.happened();
    let is_active = model.place == Place::Overview && model.pane == Pane::Events;
    let title = look.title(is_active);
    buffer.set_style(Rect { height: 1, ..area }, title);
    let text = match model.events_below {
        0 => format!("EVENTS ({}), UTC", happened.len()),
        below => format!("EVENTS ({}), UTC, {below} further down", happened.len()),
    };
    put(buffer, (area.x, area.y), area.width, &text, title, false);
    let visible = usize::from(area.height - 1);
    let end = happened.len() - model.events_below.min(happened.len());
    for (line, event) in happened[end.saturating_sub(visible)..end].iter().enumerate() {
        let at = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
        // A message can have lines; the first says what happened.
        let message = event.message.trim().lines().next().unwrap_or_default();
        let time = (format!("  {} ", time(event)), look.faint());
        put_all(buffer, at, &[time, (message.to_owned(), style(event.kind(), look))]);
    }
    if happened.is_empty() && visible > 0 {
        let since = "none since this began";
        put(buffer, (area.x + 2, area.y + 1), area.width, since, look.faint(), false);
    }
}

/// The time of day.
fn time(event: &WatchEventsResponse) -> String {
    let time = event.time.and_then(|time| SystemTime::try_from(time).ok());
    let text = humantime::format_rfc3339_seconds(time.unwrap_or(SystemTime::UNIX_EPOCH));
    let text = text.to_string();
    text.get(11..19).unwrap_or_default().to_owned()
}

fn style(kind: EventKind, look: Look) -> Style {
    match kind {
        EventKind::AppFailed
        | EventKind::CallTimedOut
        | EventKind::CallCutOff
        | EventKind::ReloadFailed
        | EventKind::EventsLost => look.bad(),
        EventKind::WorkerReady | EventKind::AppRecovered | EventKind::ReloadFinished => look.good(),
        EventKind::WorkerDied | EventKind::WorkerDraining | EventKind::Draining => look.changing(),
        EventKind::Unspecified
        | EventKind::WorkerStarted
        | EventKind::ReloadStarted
        | EventKind::Scaled => Style::new(),
    }
}
