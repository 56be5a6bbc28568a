//! The last line: the keys, or what is asked, or what became of the last key.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{grid::put_all, look::Look};
use crate::cli::top::model::{Model, Order, Place, Prompt};

/// The keys of the overview.
const OVERVIEW: &str =
    "tab pane  enter open  / filter  t stacks  r restart  c cancel  ? help  q quit";
/// The keys of an app or a worker.
const DETAILS: &str =
    "esc back  j k choose  / filter  t stacks  r restart  c cancel  ? help  q quit";

/// Draws it.
pub fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let parts = match (&model.prompt, &model.notice) {
        (Prompt::Filter, _) => {
            vec![(format!("/{}", model.filter), look.strong()), ("_".to_owned(), look.chosen())]
        }
        (Prompt::Confirm(order), _) => vec![(format!("{} (y/N)", question(order)), look.bad())],
        (Prompt::Keys | Prompt::Help, Some(notice)) => vec![(notice.clone(), look.strong())],
        (Prompt::Keys | Prompt::Help, None) => {
            let filter = match model.filter.as_str() {
                "" => String::new(),
                filter => format!("only `{filter}` (esc clears)  "),
            };
            let keys = if model.place == Place::Overview { OVERVIEW } else { DETAILS };
            vec![(filter, look.strong()), (keys.to_owned(), look.faint())]
        }
    };
    put_all(buffer, area, &parts);
}

fn question(order: &Order) -> String {
    match order {
        Order::Cancel { call, name } => format!("cancel call {call}, {name}?"),
        Order::Restart { worker, pid } => format!("restart worker {worker} (pid {pid})?"),
    }
}
