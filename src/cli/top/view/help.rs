//! The help, over everything else.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{grid::put, look::Look};

const LINES: [&str; 21] = [
    "dirtyd top",
    "",
    "j k, arrows     choose a row; page up, page down, g, G go further",
    "tab             the next list: apps, workers, events",
    "enter           the calls of an app or of a worker",
    "esc             back; in the overview, quit",
    "s               sort the list by something else",
    "/               show only what has a text; esc clears it",
    "t               the stacks of a worker, without stopping it",
    "r               restart a worker: it leaves once another is ready",
    "c               cancel a call",
    "ctrl-z          to the shell; fg comes back",
    "q               quit",
    "",
    "CALLS/S, WAIT and RUN are about the last minute: the time in the",
    "queue and in the worker, half of the calls and 99 of 100.",
    "FAIL/S is over the last 30 s, CPU over the last 4 s.",
    "> is the chosen row, ! has an error: enter shows it.",
    "+2 before a call: two more run in that worker.",
    "",
    "any key closes this",
];

/// Draws it.
pub fn draw(look: Look, area: Rect, buffer: &mut Buffer) {
    const WIDTH: u16 = 70;
    let width = WIDTH.min(area.width);
    let height = (LINES.len() as u16 + 2).min(area.height);
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let blank = " ".repeat(usize::from(width));
    for line in 0..height {
        put(buffer, (x, y + line), width, &blank, Style::reset(), false);
        let text = usize::from(line).checked_sub(1).and_then(|line| LINES.get(line));
        let style = if line == 1 { look.strong() } else { Style::new() };
        put(buffer, (x + 2, y + line), width.saturating_sub(3), text.unwrap_or(&""), style, false);
    }
    buffer.set_style(Rect { x, y, width, height }, look.chosen());
}
