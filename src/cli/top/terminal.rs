//! The terminal: taken over while `dirtyd top` runs, and given back as it was, however
//! that ends.

use std::{
    env,
    io::{self, IsTerminal as _, Stdout},
    mem::ManuallyDrop,
    panic,
    sync::Once,
};

use crossterm::{
    cursor::{Hide, Show},
    event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use nix::sys::signal::{Signal as Number, raise};
use ratatui::{Terminal as Drawn, backend::CrosstermBackend, buffer::Buffer, layout::Rect};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_stream::StreamExt as _;

use super::model::{Input, Key};

/// Why this terminal cannot be used, if it cannot.
pub fn unfit() -> Option<String> {
    let instead = "`dirtyd top --once` prints one picture, `dirtyd status --watch` goes on";
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Some(format!("stdin and stdout are not a terminal; {instead}"));
    }
    let term = env::var("TERM").unwrap_or_default();
    match term.as_str() {
        "" => Some(format!("TERM is not set, so that the terminal is not known; {instead}")),
        "dumb" => Some(format!("a terminal with TERM=dumb has no cursor to move; {instead}")),
        _ => None,
    }
}

/// Whether colours are wanted: NO_COLOR says no, as on <https://no-color.org>.
pub fn has_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The width of the terminal, if stdout is one.
pub fn width() -> Option<u16> {
    let is_terminal = io::stdout().is_terminal();
    is_terminal.then(crossterm::terminal::size)?.ok().map(|(width, _)| width)
}

/// The terminal, taken over.
pub struct Terminal {
    /// Never dropped: it would write to stderr that the terminal is gone, and so panic.
    drawn: ManuallyDrop<Drawn<CrosstermBackend<Stdout>>>,
}

impl Terminal {
    /// Takes it over: nothing that is typed is shown, and what was there comes back.
    ///
    /// # Errors
    /// The terminal does not do it.
    pub fn take() -> io::Result<Self> {
        give_back_before_a_panic_is_told();
        enable_raw_mode()?;
        let taken = execute!(io::stdout(), EnterAlternateScreen, Hide)
            .and_then(|()| Drawn::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(drawn) => Ok(Self { drawn: ManuallyDrop::new(drawn) }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws a picture, as large as the terminal is now.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        self.drawn.draw(|frame| draw(frame.area(), frame.buffer_mut()))?;
        Ok(())
    }

    /// Leaves the terminal to the shell until that continues this process.
    ///
    /// # Errors
    /// The terminal cannot be taken over again.
    pub fn suspend(self) -> io::Result<Self> {
        drop(self);
        raise(Number::SIGSTOP)?;
        Self::take()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// What fails here fails because the terminal is gone, and nobody is there to be told.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Otherwise the message would go with the screen on which it stands.
fn give_back_before_a_panic_is_told() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}

/// What comes from the terminal and from the kernel.
pub struct Asks {
    keys: EventStream,
    ends: [(i32, Signal); 3],
    stop: Signal,
}

/// What was asked for.
#[derive(Debug)]
pub enum Asked {
    /// Something for the model.
    Input(Input),
    /// To stop until this process is continued.
    Suspend,
    /// To end, because of a signal.
    End(i32),
    /// To end, because the terminal is gone.
    Gone,
}

impl Asks {
    /// Takes over the signals that end a program at a terminal.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new() -> io::Result<Self> {
        let end = |kind: SignalKind| signal(kind).map(|signal| (kind.as_raw_value(), signal));
        Ok(Self {
            keys: EventStream::new(),
            ends: [
                end(SignalKind::terminate())?,
                end(SignalKind::interrupt())?,
                end(SignalKind::hangup())?,
            ],
            stop: signal(SignalKind::from_raw(Number::SIGTSTP as i32))?,
        })
    }

    /// What is asked for next. Dropped while it waits, it loses nothing.
    pub async fn next(&mut self) -> Asked {
        let [(first, term), (second, int), (third, hup)] = &mut self.ends;
        loop {
            return tokio::select! {
                _ = term.recv() => Asked::End(*first),
                _ = int.recv() => Asked::End(*second),
                _ = hup.recv() => Asked::End(*third),
                _ = self.stop.recv() => Asked::Suspend,
                event = self.keys.next() => match event {
                    Some(Ok(Event::Key(event))) => match key(event) {
                        Some(key) => Asked::Input(Input::Key(key)),
                        None => continue,
                    },
                    Some(Ok(Event::Resize(..))) => Asked::Input(Input::Tick),
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => Asked::Gone,
                },
            };
        }
    }
}

/// A key, if it means anything.
fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char('z') if control => Key::Suspend,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
