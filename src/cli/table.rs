//! Tables for people: columns as wide as their widest cell.

use unicode_width::UnicodeWidthStr as _;

use crate::printable::one_line;

/// Lays rows out under a header. Columns named in `right` align to the right.
pub fn render(header: &[&str], right: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.width()));
            match right.contains(&header[column]) {
                true => line += &format!("{pad}{cell}  "),
                false => line += &format!("{cell}{pad}  "),
            }
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(header.to_vec());
    for row in &rows {
        text += &line(row.iter().map(AsRef::as_ref).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_align() {
        let rows = [vec!["a".into(), "10".into()], vec!["long".into(), "9".into()]];
        let text = super::render(&["NAME", "N"], &["N"], &rows);
        assert_eq!(text, "NAME   N\na     10\nlong   9\n");
    }

    #[test]
    fn letters_are_as_wide_as_a_terminal_shows_them() {
        let rows = [vec!["東京".into(), "10".into()], vec!["e\u{301}".into(), "9".into()]];
        let text = super::render(&["NAME", "N"], &["N"], &rows);
        assert_eq!(text, "NAME   N\n東京  10\ne\u{301}      9\n");
    }
}
