//! Draws what `dirtyd top` knows. It decides nothing; the same model is drawn the same.

mod details;
mod events;
mod footer;
mod grid;
mod header;
mod help;
mod lists;
mod look;
#[cfg(test)]
mod tests;

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

pub use self::look::Look;
use super::model::{Model, Place, Prompt};

/// The least height at which lists have an empty line between them.
const ROOMY: u16 = 30;
/// The least rows of events, with their title.
const LEAST_EVENTS: u16 = 4;

/// Draws everything.
pub fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut rest = area;
    header::draw(model, look, take_top(&mut rest, header::HEIGHT), buffer);
    if look.is_live {
        footer::draw(model, look, take_bottom(&mut rest, 1), buffer);
    }
    match &model.place {
        Place::Overview => overview(model, look, rest, buffer),
        Place::App(_) => details::of_app(model, look, rest, buffer),
        Place::Worker(_, stacks) => {
            details::of_worker(model, stacks.as_ref(), look, rest, buffer);
        }
    }
    if model.lost.is_some() {
        // What is not the present is grey; why, and the keys, are.
        let old = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        buffer.set_style(old, look.old());
    }
    if model.prompt == Prompt::Help {
        help::draw(look, area, buffer);
    }
}

/// The height at which all apps and workers are seen, and no events.
pub fn height(model: &Model) -> u16 {
    let rows = wanted(model.apps().len()) + wanted(model.workers().len());
    header::HEIGHT + rows + 2
}

/// What a buffer shows, line by line. Behind a wide letter a buffer has an empty cell.
pub fn lines(buffer: &Buffer) -> impl Iterator<Item = String> {
    let Rect { width, height, .. } = buffer.area;
    (0..height).map(move |y| {
        let mut line = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line += symbol;
            x += Span::raw(symbol).width().max(1) as u16;
        }
        line
    })
}

fn overview(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let gap = u16::from(area.height >= ROOMY || !look.is_live);
    let has_events = look.is_live;
    let gaps = if has_events { 3 * gap } else { 2 * gap };
    let room = area.height.saturating_sub(gaps);
    let events = if has_events { LEAST_EVENTS.min(room / 3) } else { 0 };
    let (apps, workers) =
        share(room - events, wanted(model.apps().len()), wanted(model.workers().len()));
    let mut rest = area;
    take_top(&mut rest, gap);
    lists::apps(model, look, take_top(&mut rest, apps), buffer);
    take_top(&mut rest, gap);
    lists::workers(model, look, take_top(&mut rest, workers), buffer);
    take_top(&mut rest, gap);
    events::draw(model, look, rest, buffer);
}

/// The rows of a list, with its title.
fn wanted(rows: usize) -> u16 {
    u16::try_from(rows.max(1) + 1).unwrap_or(u16::MAX / 4)
}

/// The rows of two lists in so much room: what they want, else the first one keeps a
/// third of it.
fn share(room: u16, first: u16, second: u16) -> (u16, u16) {
    if first.saturating_add(second) <= room {
        return (first, second);
    }
    let first = first.min((room / 3).max(room.saturating_sub(second)));
    (first, room - first)
}

/// Takes rows from the top of what is left.
fn take_top(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

/// Takes rows from the bottom of what is left.
fn take_bottom(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    rest.height -= height;
    Rect { y: rest.y + rest.height, height, ..*rest }
}
