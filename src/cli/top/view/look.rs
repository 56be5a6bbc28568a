//! Styles. Nothing is told by colour alone: what is chosen is reversed and has a mark,
//! what is wrong is bold and has one.

use ratatui::style::{Color, Modifier, Style};

/// How the screen looks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether there are colours.
    pub has_colour: bool,
    /// Whether somebody chooses and presses keys; otherwise it is one picture, for a script.
    pub is_live: bool,
}

impl Look {
    fn coloured(self, colour: Color) -> Style {
        if self.has_colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// The title of a list.
    pub fn title(self, is_active: bool) -> Style {
        let title = self.coloured(Color::Cyan).add_modifier(Modifier::BOLD);
        if is_active { title.add_modifier(Modifier::REVERSED) } else { title }
    }

    /// The chosen row.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What is wrong.
    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is going to change.
    pub fn changing(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// What is well.
    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// What matters.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What was so, and may not be so any more.
    pub fn old(self) -> Style {
        self.coloured(Color::DarkGray).add_modifier(Modifier::DIM)
    }
}
