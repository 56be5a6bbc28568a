//! What keys and answers do, in virtual time.

use dirtyd_client::proto::v1::EventKind;

use super::{Input, Key, Model, Order, Pane, Place, Prompt, Want};
use crate::cli::top::fixture::{Clock, event};

const FIRST_CALL: u64 = 1_790_000_000_000_001;

struct Desk {
    clock: Clock,
    model: Model,
}

impl Desk {
    fn new() -> Self {
        let clock = Clock::start();
        Self { model: clock.model(), clock }
    }

    fn press(&mut self, keys: &[Key]) -> Vec<Want> {
        let now = self.clock.after(4);
        keys.iter().flat_map(|key| self.model.on(Input::Key(*key), now)).collect()
    }

    fn write(&mut self, text: &str) -> Vec<Want> {
        self.press(&text.chars().map(Key::Char).collect::<Vec<_>>())
    }

    fn apps(&self) -> Vec<&str> {
        self.model.apps().iter().map(|app| app.app.as_str()).collect()
    }

    fn workers(&self) -> Vec<u64> {
        self.model.workers().iter().map(|row| row.worker.id).collect()
    }
}

#[test]
fn q_and_ctrl_c_end_it_and_so_does_esc_where_nothing_is_left_to_leave() {
    for key in [Key::Char('q'), Key::Interrupt, Key::Esc] {
        assert_eq!(Desk::new().press(&[key]), [Want::Quit], "{key:?}");
    }
    let mut desk = Desk::new();
    assert_eq!(desk.press(&[Key::Tab, Key::Enter, Key::Char('t')]), [Want::Stacks(1)]);
    assert!(matches!(desk.model.place, Place::Worker(1, Some(_))));
    assert_eq!(desk.press(&[Key::Esc]), []);
    assert_eq!(desk.model.place, Place::Worker(1, None));
    assert_eq!(desk.press(&[Key::Esc]), []);
    assert_eq!(desk.model.place, Place::Overview);
    assert_eq!(desk.press(&[Key::Esc]), [Want::Quit]);
    assert_eq!(desk.press(&[Key::Suspend]), [Want::Suspend]);
}

#[test]
fn an_order_is_carried_out_only_after_a_yes() {
    let mut desk = Desk::new();
    assert_eq!(desk.press(&[Key::Tab, Key::Char('r')]), []);
    let restart = Order::Restart { worker: 1, pid: 101 };
    assert_eq!(desk.model.prompt, Prompt::Confirm(restart.clone()));
    for no in [Key::Char('n'), Key::Enter, Key::Esc, Key::Char('q'), Key::Char('r')] {
        assert_eq!(desk.press(&[Key::Char('r'), no, Key::Char('x')]), [], "{no:?}");
        desk.model.prompt = Prompt::Keys;
    }
    assert_eq!(desk.write("ry"), [Want::Order(restart)]);
    let cancel = Order::Cancel { call: FIRST_CALL, name: "shop:Shop.hang".to_owned() };
    assert_eq!(desk.write("cy"), [Want::Order(cancel)], "its only call");
    assert_eq!(desk.write("c"), []);
    assert_eq!(desk.press(&[Key::Interrupt]), [Want::Quit], "whatever is asked");
}

#[test]
fn a_key_for_which_nothing_is_chosen_says_what_to_choose() {
    let mut desk = Desk::new();
    for (key, words) in [('r', "choose a worker"), ('t', "choose a worker"), ('c', "choose a call")]
    {
        assert_eq!(desk.write(&key.to_string()), []);
        let notice = desk.model.notice.clone().expect("a notice");
        assert!(notice.contains(words), "{notice}");
    }
    // Worker 2 has a call that nobody waits for any more: there is a choice to make.
    assert_eq!(desk.press(&[Key::Tab, Key::Down, Key::Char('c'), Key::Char('y')]), []);
}

#[test]
fn an_app_shows_its_calls_and_they_lead_to_their_worker() {
    let mut desk = Desk::new();
    desk.press(&[Key::Enter]);
    assert_eq!(desk.model.place, Place::App("shop:Shop".to_owned()));
    assert_eq!(desk.model.calls().len(), 3);
    assert_eq!(desk.press(&[Key::Down, Key::Char('t')]), [Want::Stacks(2)]);
    desk.press(&[Key::Esc, Key::Esc, Key::Enter, Key::End, Key::Enter]);
    assert_eq!(desk.model.place, Place::App("shop:Shop".to_owned()), "it waits: no worker");
    let wants = desk.write("cy");
    let cancel = Order::Cancel { call: FIRST_CALL + 2, name: "shop:Shop.price".to_owned() };
    assert_eq!(wants, [Want::Order(cancel)]);
}

#[test]
fn lists_are_sorted_by_what_is_wanted_and_the_choice_stays() {
    let mut desk = Desk::new();
    assert_eq!(desk.apps(), ["shop:Shop", "ml.embed:Model"]);
    desk.write("ss");
    assert_eq!(desk.apps(), ["ml.embed:Model", "shop:Shop"], "more are queued");
    assert_eq!(desk.model.app.chosen().map(String::as_str), Some("shop:Shop"));
    assert_eq!(desk.model.notice.as_deref(), Some("sorted by queued calls"));
    desk.write("s");
    assert_eq!(desk.apps(), ["shop:Shop", "ml.embed:Model"], "by the run time");
    desk.press(&[Key::Tab, Key::Char('s')]);
    assert_eq!(desk.workers(), [3, 2, 1], "by processor time");
    desk.write("ss");
    assert_eq!(desk.workers(), [1, 2, 3], "by how long the call has run");
    desk.press(&[Key::Enter, Key::Esc, Key::BackTab, Key::Enter, Key::Char('s')]);
    let left: Vec<_> = desk.model.calls().iter().map(|call| call.id - FIRST_CALL).collect();
    assert_eq!(left, [2, 1, 0], "without a deadline last");
}

#[test]
fn a_filter_reduces_every_list_until_esc() {
    let mut desk = Desk::new();
    assert_eq!(desk.write("/GPUq"), [], "q is a letter here");
    assert_eq!(desk.press(&[Key::Backspace, Key::Enter]), []);
    assert_eq!((desk.apps(), desk.workers()), (vec!["ml.embed:Model"], vec![3]));
    assert!(desk.model.happened().is_empty());
    assert_eq!(desk.press(&[Key::Esc]), []);
    assert_eq!(desk.apps().len(), 2);
    desk.write("/hang");
    assert_eq!(desk.workers(), [1], "by what it runs");
    assert_eq!(desk.model.happened().len(), 1);
    assert_eq!(desk.press(&[Key::Esc]), []);
    assert_eq!(desk.model.filter, "");
    desk.write(&format!("/{}", "x".repeat(500)));
    assert_eq!(desk.model.filter.len(), 60);
}

#[test]
fn rates_are_differences_between_pictures() {
    let desk = Desk::new();
    let near = |value: Option<f64>, wanted: f64| {
        let value = value.expect("known");
        assert!((value - wanted).abs() < 1e-9, "{value} and not {wanted}");
    };
    near(desk.model.history.failed_per_second("shop:Shop"), 2.0);
    near(desk.model.history.processors(2), 0.5);
    near(desk.model.history.processors_of_arbiter(), 0.02);
    assert_eq!(desk.model.history.failed_per_second("nobody"), None);
    let now = desk.clock.after(3);
    assert_eq!(desk.model.history.depths("shop:Shop", now, 3), [None, None, Some(9)]);
    let by_second = desk.model.history.depths("shop:Shop", now, 300);
    assert_eq!(by_second[296..], [Some(0), Some(9), Some(4), Some(1)]);
    assert_eq!(desk.model.history.depths("shop:Shop", desk.clock.after(900), 3), [None; 3]);
}

#[test]
fn another_arbiter_counts_anew_and_shows_no_negative_rate() {
    let mut desk = Desk::new();
    let mut picture = desk.clock.picture(5);
    picture.status.arbiter.as_mut().expect("an arbiter").pid = 7;
    picture.status.apps[0].failed = 0;
    desk.model.on(Input::Picture(Box::new(picture)), desk.clock.after(5));
    assert_eq!(desk.model.history.failed_per_second("shop:Shop"), None);
    assert_eq!(desk.model.history.processors(1), None);
    let depths = desk.model.history.depths("shop:Shop", desk.clock.after(5), 1);
    assert_eq!(depths, [Some(9)], "queues mean the same");
}

#[test]
fn a_connection_that_is_lost_keeps_the_last_picture_and_comes_back() {
    let mut desk = Desk::new();
    for seconds in [5, 9] {
        let lost = Input::Lost("nobody listens".to_owned());
        assert_eq!(desk.model.on(lost, desk.clock.after(seconds)), []);
    }
    let since = desk.clock.after(5);
    assert_eq!(desk.model.lost, Some((since, "nobody listens".to_owned())));
    assert_eq!(desk.apps().len(), 2, "the last picture");
    let picture = Box::new(desk.clock.picture(10));
    desk.model.on(Input::Picture(picture), desk.clock.after(10));
    assert_eq!(desk.model.lost, None);
}

#[test]
fn who_looks_at_a_worker_that_ends_is_told_so() {
    let mut desk = Desk::new();
    desk.press(&[Key::Tab, Key::Enter]);
    let mut picture = desk.clock.picture(5);
    picture.status.workers.remove(0);
    desk.model.on(Input::Picture(Box::new(picture)), desk.clock.after(5));
    assert_eq!(desk.model.place, Place::Overview);
    assert_eq!(desk.model.notice.as_deref(), Some("worker 1 has ended"));
    assert_eq!(desk.model.worker.chosen(), Some(&2), "the next one");
    desk.press(&[Key::Char('t')]);
    let mut picture = desk.clock.picture(6);
    picture.status.workers.clear();
    desk.model.on(Input::Picture(Box::new(picture)), desk.clock.after(6));
    assert!(matches!(desk.model.place, Place::Worker(2, Some(_))), "its stacks are read");
}

#[test]
fn stacks_scroll_and_those_of_another_worker_are_not_shown() {
    let mut desk = Desk::new();
    desk.press(&[Key::Tab, Key::Char('t')]);
    let now = desk.clock.after(4);
    desk.model.on(Input::Stacks(2, Ok("of another".to_owned())), now);
    let stacks = |model: &Model| match &model.place {
        Place::Worker(_, Some(stacks)) => stacks.clone(),
        place => panic!("{place:?}"),
    };
    assert_eq!(stacks(&desk.model).text, None);
    desk.model.on(Input::Stacks(1, Ok("a\nb\nc".to_owned())), now);
    desk.press(&[Key::Down, Key::PageDown]);
    assert_eq!(stacks(&desk.model).first, 2);
    desk.press(&[Key::Home]);
    assert_eq!(stacks(&desk.model).first, 0);
}

#[test]
fn who_reads_older_events_goes_on_reading_them_and_memory_is_bounded() {
    let mut desk = Desk::new();
    desk.press(&[Key::BackTab, Key::Up]);
    assert_eq!((desk.model.pane, desk.model.events_below), (Pane::Events, 1));
    let now = desk.clock.after(4);
    let event = |text: &str| Input::Event(Box::new(event(&desk.clock, 4, EventKind::Scaled, text)));
    desk.model.on(event("one more"), now);
    assert_eq!(desk.model.events_below, 2);
    for _ in 0..1_000 {
        desk.model.on(event("many"), now);
    }
    assert_eq!((desk.model.events.len(), desk.model.events_below), (500, 499));
    desk.press(&[Key::End]);
    assert_eq!(desk.model.events_below, 0);
}

#[test]
fn what_became_of_an_order_is_told_and_looked_at() {
    let mut desk = Desk::new();
    let told = Input::Told("cancelled".to_owned());
    assert_eq!(desk.model.on(told, desk.clock.after(4)), [Want::Refresh]);
    assert_eq!(desk.model.notice.as_deref(), Some("cancelled"));
    desk.press(&[Key::Char('?')]);
    assert_eq!((desk.model.notice.as_deref(), &desk.model.prompt), (None, &Prompt::Help));
    assert_eq!(desk.press(&[Key::Char('q')]), [], "any key closes the help");
}
