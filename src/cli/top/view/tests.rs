//! Pictures, as a terminal shows them. `BLESS=1` writes those in `frames` anew; whoever
//! changes one reads the change in the diff.

use std::{env, fs, path::PathBuf};

use ratatui::{
    Terminal,
    backend::TestBackend,
    style::{Color, Modifier},
};

use super::{Look, draw, height, lines};
use crate::cli::top::{
    fixture::{Clock, event},
    model::{Input, Key, Model},
};
use dirtyd_client::proto::v1::EventKind;

const COLOUR: Look = Look { has_colour: true, is_live: true };
const PLAIN: Look = Look { has_colour: false, is_live: true };

fn shown(model: &Model, look: Look, (width, height): (u16, u16)) -> ratatui::buffer::Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let frame = terminal.draw(|frame| draw(model, look, frame.area(), frame.buffer_mut()));
    frame.expect("drawn").buffer.clone()
}

fn text(model: &Model, look: Look, size: (u16, u16)) -> String {
    let buffer = shown(model, look, size);
    lines(&buffer).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Compares a picture with the one in `frames`, with colours and without.
fn golden(name: &str, model: &Model, size: (u16, u16)) {
    let plain = text(model, PLAIN, size);
    assert_eq!(text(model, COLOUR, size), plain, "colours change no letter");
    kept(name, &plain);
}

fn kept(name: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/top/view/frames");
    let path = folder.join(format!("{name}.txt"));
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(&folder).expect("the folder");
        fs::write(&path, text).expect("the file");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} differs; read it, then set BLESS=1\n{kept}---\n{text}");
}

fn press(model: &mut Model, keys: &[Key]) {
    for key in keys {
        model.on(Input::Key(*key), model.now);
    }
}

#[test]
fn the_overview_fits_a_small_and_fills_a_large_terminal() {
    let model = Clock::start().model();
    golden("overview-80x24", &model, (80, 24));
    golden("overview-200x60", &model, (200, 60));
}

#[test]
fn a_narrow_or_low_terminal_leaves_out_what_matters_less() {
    let model = Clock::start().model();
    golden("overview-40x12", &model, (40, 12));
    for size in [(1, 1), (2, 3), (7, 4), (10, 2), (300, 1), (1, 100), (500, 200)] {
        text(&model, COLOUR, size);
    }
}

#[test]
fn one_picture_for_a_script_has_all_rows_and_no_keys() {
    let model = Clock::start().model();
    let look = Look { has_colour: false, is_live: false };
    let text = text(&model, look, (80, height(&model)));
    assert!(!text.contains("quit") && !text.contains("EVENTS"), "{text}");
    kept("once-80", &text);
}

#[test]
fn an_app_shows_its_error_and_its_calls() {
    let mut model = Clock::start().model();
    press(&mut model, &[Key::Enter]);
    golden("app-80x24", &model, (80, 24));
    press(&mut model, &[Key::Esc, Key::Down, Key::Enter]);
    golden("app-broken-80x24", &model, (80, 24));
}

#[test]
fn a_worker_shows_its_calls_and_its_stacks() {
    let mut model = Clock::start().model();
    press(&mut model, &[Key::Tab, Key::Char('t')]);
    golden("worker-asked-80x24", &model, (80, 24));
    let stacks =
        "worker 1\n\n  call 7, in MainThread:\n    shop.py:12 in Shop.hang\n        wait()\n";
    model.on(Input::Stacks(1, Ok(stacks.to_owned())), model.now);
    golden("worker-stacks-80x24", &model, (80, 24));
    press(&mut model, &[Key::Char('r')]);
    golden("worker-restart-80x24", &model, (80, 24));
}

#[test]
fn the_help_is_over_everything_else() {
    let mut model = Clock::start().model();
    press(&mut model, &[Key::Char('?')]);
    golden("help-80x24", &model, (80, 24));
}

#[test]
fn what_is_not_the_present_is_grey_and_says_since_when() {
    let clock = Clock::start();
    let mut model = clock.model();
    model.on(Input::Lost("nobody listens at /run/d.sock".to_owned()), clock.after(4));
    model.on(Input::Tick, clock.after(9));
    golden("lost-80x24", &model, (80, 24));
    for look in [COLOUR, PLAIN] {
        let buffer = shown(&model, look, (80, 24));
        let is_grey = |y| (0..80).all(|x| buffer[(x, y)].modifier.contains(Modifier::DIM));
        assert!(!is_grey(0) && (1..23).all(is_grey));
    }
}

#[test]
fn names_of_any_width_and_hostile_ones_stay_in_their_cells() {
    let clock = Clock::start();
    let mut model = Model::new(clock.0);
    let mut picture = clock.picture(0);
    picture.status.apps[0].app = "料理:レシピを検索するアプリケーション".to_owned();
    picture.status.apps[1].app = "e\u{301}vil\x1b[2J\u{202e}:\u{200b}X\n".to_owned();
    picture.status.apps[1].last_error = "\x1b]0;owned\x07 no\r\nway".to_owned();
    picture.status.workers[0].pool = "\x07p".to_owned();
    let calls = picture.calls.as_mut().expect("calls");
    calls[0].action = "👩‍👩‍👧 \x1b[31mrot".to_owned();
    model.on(Input::Picture(Box::new(picture)), clock.0);
    let message = "\x1b[2J worker\u{9b}31m 1 \u{2066}died";
    model.on(Input::Event(Box::new(event(&clock, 1, EventKind::WorkerDied, message))), clock.0);
    golden("hostile-80x24", &model, (80, 24));
    press(&mut model, &[Key::Down, Key::Enter]);
    golden("hostile-app-80x24", &model, (80, 24));
    let buffer = shown(&model, COLOUR, (80, 24));
    let symbols = buffer.content().iter().flat_map(|cell| cell.symbol().chars());
    assert!(!symbols.into_iter().any(crate::printable::is_hazard));
}

#[test]
fn without_colour_nothing_is_coloured_and_with_it_what_is_wrong_is_red() {
    let model = Clock::start().model();
    let plain = shown(&model, PLAIN, (80, 24));
    let has_none =
        |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset);
    assert!(plain.content().iter().all(has_none));
    let reversed = plain.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED));
    assert!(reversed, "the choice is seen");
    let coloured = shown(&model, COLOUR, (80, 24));
    let red: String = (coloured.content().iter())
        .filter(|cell| cell.fg == Color::Red)
        .map(|cell| cell.symbol())
        .collect();
    assert!(red.contains("!ml.embed:Mo"), "{red}");
}
