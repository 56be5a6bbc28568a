//! The parts of written JSON.

use std::io::{self, Write};

/// Writes a string.
pub fn string(text: &str, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// Writes what `write` writes of each item, within brackets and with commas between.
pub fn sequence<T>(
    [open, close]: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    out: &mut dyn Write,
    mut write: impl FnMut(T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(&[*open])?;
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write(item, out)?;
    }
    out.write_all(&[*close])
}
