//! `dirtyd top`: workers, apps, queues and events, live.
//!
//! `model` decides, `view` draws, `terminal` and `feed` are the effects.

mod feed;
#[cfg(test)]
mod fixture;
mod model;
mod terminal;
mod view;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use ratatui::{buffer::Buffer, layout::Rect};
use tokio::time::{MissedTickBehavior, interval};

use self::{
    feed::Feed,
    model::{Input, Model, Want},
    terminal::{Asked, Asks, Terminal},
    view::Look,
};
use super::{
    connect::{Target, block_on},
    operator::Operator,
};
use crate::config::parse_duration;

/// The width of a picture that goes into no terminal.
const WIDTH: u16 = 80;
/// The shortest interval: a picture costs the arbiter more than a call.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// `dirtyd top`.
#[derive(Debug, clap::Args)]
pub struct Top {
    /// How often to ask for the present
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval_of)]
    interval: Duration,
    /// Print one picture and end. What needs two pictures is left out; CPU is the average since
    /// the start
    #[arg(long)]
    once: bool,
    /// The width of that picture [default: that of the terminal, else 80]
    #[arg(long, value_name = "COLUMNS", requires = "once", value_parser = clap::value_parser!(u16).range(20..=1000))]
    width: Option<u16>,
    #[command(flatten)]
    target: Target,
}

fn interval_of(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    match interval >= LEAST_INTERVAL {
        true => Ok(interval),
        false => Err(format!("`{text}` is too short; the least is 100ms")),
    }
}

impl Top {
    /// Shows it until a key or a signal ends it.
    ///
    /// # Errors
    /// dirtyd is not there at the start, or the terminal cannot be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if !self.once
            && let Some(why) = terminal::unfit()
        {
            anyhow::bail!(why);
        }
        block_on(async {
            let mut operator = Operator::at(&self.target).await?;
            // Before the screen is taken over: what is wrong should stay readable.
            let first = feed::picture(&mut operator).await?;
            let mut model = Model::new(first.taken);
            model.on(Input::Picture(Box::new(first)), Instant::now());
            match self.once {
                true => print(&model, self.width.or_else(terminal::width).unwrap_or(WIDTH)),
                false => show(model, operator, self.interval).await,
            }
        })
    }
}

/// Prints one picture.
fn print(model: &Model, width: u16) -> anyhow::Result<ExitCode> {
    let look = Look { has_colour: false, is_live: false };
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, view::height(model)));
    view::draw(model, look, buffer.area, &mut buffer);
    let mut out = io::stdout().lock();
    for line in view::lines(&buffer) {
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows pictures until somebody ends it.
async fn show(mut model: Model, operator: Operator, every: Duration) -> anyhow::Result<ExitCode> {
    let look = Look { has_colour: terminal::has_colour(), is_live: true };
    let mut feed = Feed::new(operator);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Before the terminal is taken: a signal in between would leave it as it is.
    let mut asks = Asks::new().context("signals and keys")?;
    let mut terminal = Terminal::take().context("the terminal cannot be used")?;
    loop {
        if terminal.draw(|area, buffer| view::draw(&model, look, area, buffer)).is_err() {
            return Ok(hung_up());
        }
        let input = tokio::select! {
            asked = asks.next() => match asked {
                Asked::Input(input) => input,
                Asked::Suspend => {
                    terminal = terminal.suspend()?;
                    Input::Tick
                }
                Asked::End(signal) => return Ok(ended_by(signal)),
                Asked::Gone => return Ok(hung_up()),
            },
            answer = feed.next() => answer,
            _ = ticks.tick() => {
                feed.refresh();
                Input::Tick
            }
        };
        for want in model.on(input, Instant::now()) {
            match want {
                Want::Quit => return Ok(ExitCode::SUCCESS),
                Want::Suspend => terminal = terminal.suspend()?,
                Want::Refresh => feed.refresh(),
                Want::Stacks(worker) => feed.stacks(worker),
                Want::Order(order) => feed.order(order),
            }
        }
    }
}

/// The exit code as a shell tells of a program that a signal has ended.
fn ended_by(signal: i32) -> ExitCode {
    ExitCode::from(128 + signal as u8)
}

/// The terminal is gone, and so is whoever could be told; the signal may come later.
fn hung_up() -> ExitCode {
    ended_by(Signal::SIGHUP as i32)
}
