//! Text in cells: lines that end where their room ends, and lists with columns. Here is
//! where text of others is made fit for the screen.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::look::Look;
use crate::printable::one_line;

/// The columns between two columns of a list.
const GAP: u16 = 1;
/// The marks before each row.
const MARKS: u16 = 2;

/// A column of a list.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Its least width.
    pub width: u16,
    /// Its most width, if there is room.
    pub most: u16,
    /// Whether it aligns to the right.
    pub right: bool,
    /// When it is left out, if there is no room: the highest one first, 0 never.
    pub rank: u8,
}

impl Column {
    /// A column of numbers, of this width.
    pub const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, width, most: width, right: true, rank }
    }

    /// A column of words.
    pub const fn words(title: &'static str, width: u16, most: u16, rank: u8) -> Self {
        Self { title, width, most, right: false, rank }
    }
}

/// A row of a list.
#[derive(Debug, Default)]
pub struct Row {
    /// Its texts, one for each column.
    pub cells: Vec<(String, Style)>,
    /// Whether something is wrong with it.
    pub is_bad: bool,
}

impl Row {
    /// Adds a text.
    pub fn cell(&mut self, text: impl Into<String>, style: Style) {
        self.cells.push((text.into(), style));
    }
}

/// A list.
pub struct List<'a> {
    /// What it shows.
    pub name: &'a str,
    /// The number of further rows, which are not known.
    pub left_out: u32,
    /// What stands there if it has no rows.
    pub empty: &'a str,
    /// Its columns.
    pub columns: &'a [Column],
    /// Those of them that are not shown.
    pub hidden: &'a [usize],
    /// Its rows.
    pub rows: &'a [Row],
    /// The chosen one.
    pub chosen: usize,
    /// Whether the keys are for it.
    pub is_active: bool,
}

impl List<'_> {
    /// Draws it: the title, then as many rows as fit around the chosen one.
    pub fn draw(&self, look: Look, area: Rect, buffer: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let visible = usize::from(area.height - 1);
        let first = (self.chosen + 1).saturating_sub(visible);
        let more = match self.left_out {
            0 => String::new(),
            more => format!("+{more}"),
        };
        let count = match self.rows.len() {
            rows if rows <= visible => format!("{} ({rows}{more})", self.name),
            rows => {
                let (from, to) = (first + 1, first + visible);
                format!("{} ({from}-{to}/{rows}{more})", self.name)
            }
        };
        let style = look.title(self.is_active && look.is_live);
        buffer.set_style(Rect { height: 1, ..area }, style);
        let room = area.width.saturating_sub(MARKS);
        let places = places(self.columns, self.hidden, room);
        for &(column, x, width) in &places {
            let Column { title, right, .. } = self.columns[column];
            // The first column is named by the list.
            let title = if column == 0 { &count } else { title };
            let (x, width) = match column {
                0 => (area.x, self.title_room(&places, width)),
                _ => (area.x + MARKS + x, width),
            };
            put(buffer, (x, area.y), width, title, style, right && column != 0);
        }
        if self.rows.is_empty() && visible > 0 {
            let at = (area.x + MARKS, area.y + 1);
            put(buffer, at, room, self.empty, look.faint(), false);
        }
        for (line, (index, row)) in
            self.rows.iter().enumerate().skip(first).take(visible).enumerate()
        {
            let y = area.y + 1 + line as u16;
            let is_chosen = index == self.chosen && self.is_active && look.is_live;
            let marks = match (is_chosen, row.is_bad) {
                (true, true) => ">!",
                (true, false) => ">",
                (false, true) => " !",
                (false, false) => "",
            };
            put(buffer, (area.x, y), MARKS, marks, look.bad(), false);
            for &(column, x, width) in &places {
                let Some((text, style)) = row.cells.get(column) else { continue };
                let right = self.columns[column].right;
                put(buffer, (area.x + MARKS + x, y), width, text, *style, right);
            }
            if is_chosen {
                buffer.set_style(Rect { y, height: 1, ..area }, look.chosen());
            }
        }
    }

    /// The title may also use what the marks and the titles that follow leave free.
    fn title_room(&self, places: &[(usize, u16, u16)], width: u16) -> u16 {
        let spare = match places.get(1) {
            Some(&(next, _, next_width)) if self.columns[next].right => {
                next_width.saturating_sub(self.columns[next].title.len() as u16)
            }
            _ => 0,
        };
        width + MARKS + spare
    }
}

/// The columns that fit, each with its place and its width.
fn places(columns: &[Column], hidden: &[usize], room: u16) -> Vec<(usize, u16, u16)> {
    let mut kept: Vec<usize> =
        (0..columns.len()).filter(|column| !hidden.contains(column)).collect();
    let need = |kept: &[usize]| {
        let widths = kept.iter().map(|column| columns[*column].width + GAP).sum::<u16>();
        widths.saturating_sub(GAP)
    };
    while need(&kept) > room {
        let last = kept.iter().copied().filter(|column| columns[*column].rank > 0);
        let Some(last) = last.max_by_key(|column| columns[*column].rank) else { break };
        kept.retain(|column| *column != last);
    }
    let mut spare = room.saturating_sub(need(&kept));
    let mut x = 0;
    let mut places = Vec::new();
    for column in kept {
        let Column { width, most, .. } = columns[column];
        let more = spare.min(most.saturating_sub(width));
        spare -= more;
        places.push((column, x, width + more));
        x += width + more + GAP;
    }
    places
}

/// Puts a text into a part of a line, with `…` where it does not fit.
pub fn put(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    width: u16,
    text: &str,
    style: Style,
    right: bool,
) {
    let area = buffer.area;
    if y >= area.bottom() || x >= area.right() {
        return;
    }
    let width = width.min(area.right() - x);
    let text = one_line(text);
    let wide = Span::raw(&*text).width();
    match usize::from(width) {
        0 => {}
        room if wide <= room => {
            let pad = if right { room - wide } else { 0 };
            buffer.set_stringn(x + pad as u16, y, &text, room, style);
        }
        room => {
            let (end, _) = buffer.set_stringn(x, y, &text, room - 1, style);
            buffer.set_stringn(end, y, "…", 1, style);
        }
    }
}

/// Puts texts into a line, one after the other.
pub fn put_all(buffer: &mut Buffer, area: Rect, parts: &[(String, Style)]) {
    let mut x = area.x;
    for (text, style) in parts {
        if x >= area.right() || area.height == 0 {
            return;
        }
        put(buffer, (x, area.y), area.right() - x, text, *style, false);
        x = x.saturating_add(Span::raw(&*one_line(text)).width() as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::words("A", 4, 20, 0), Column::number("B", 3, 2), Column::number("C", 3, 1)];

    #[test]
    fn columns_are_left_out_by_rank_and_grow_where_there_is_room() {
        assert_eq!(places(&COLUMNS, &[], 12), [(0, 0, 4), (1, 5, 3), (2, 9, 3)]);
        assert_eq!(places(&COLUMNS, &[], 11), [(0, 0, 7), (2, 8, 3)]);
        assert_eq!(places(&COLUMNS, &[], 5), [(0, 0, 5)]);
        assert_eq!(places(&COLUMNS, &[1], 12), [(0, 0, 8), (2, 9, 3)]);
        assert_eq!(places(&COLUMNS, &[], 100), [(0, 0, 20), (1, 21, 3), (2, 25, 3)]);
    }

    fn line(width: u16, text: &str, right: bool) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        put(&mut buffer, (0, 0), width, text, Style::new(), right);
        let symbols = buffer.content().iter().map(|cell| cell.symbol());
        symbols.collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn text_ends_where_its_room_ends_however_wide_its_letters_are() {
        assert_eq!(line(6, "abcdef", false), "abcdef");
        assert_eq!(line(5, "abcdef", false), "abcd…");
        assert_eq!(line(6, "abc", true), "   abc");
        assert_eq!(line(5, "東京都", false), "東 京 …");
        assert_eq!(line(4, "東京都", false), "東 …");
        assert_eq!(line(9, "a\x1b[2Jb", false), "a\\x1b[2Jb");
        assert_eq!(line(0, "abc", false), "");
        assert_eq!(line(200, "abc", false), "abc", "no further than the screen");
    }
}
