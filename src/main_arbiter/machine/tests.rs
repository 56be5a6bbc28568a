use std::time::Duration;

use super::{
    pauses::{FIRST, HEALTHY, LONGEST},
    upgrade_remark::UpgradeFailure,
    *,
};
use crate::patience::{AT_ONCE, PING, SILENCE, dirty_arbiter_is_killed, successor_is_killed};

const GRACE: Duration = Duration::from_secs(30);

struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new(standing: Standing) -> Self {
        Self::watched(standing, Duration::from_secs(60))
    }

    /// One from which systemd wants a sign of life every `watchdog`.
    fn watched(standing: Standing, watchdog: Duration) -> Self {
        let now = Instant::now();
        let timeouts = Timeouts {
            graceful: GRACE,
            upgrade: Duration::from_secs(60),
            watchdog: Some(watchdog),
        };
        Self { machine: Machine::new(timeouts, standing, now), now }
    }

    /// One whose dirty arbiter serves.
    fn serving() -> Self {
        let mut bench = Self::new(Standing::Alone);
        assert_eq!(bench.on(Event::Alarm), [Action::Start]);
        assert_eq!(bench.on(Event::Report(Report::Ready)), [Action::Notify(Notice::Ready)]);
        bench
    }

    /// What it does but for the log.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.machine.on(event, self.now);
        actions.retain(|action| !matches!(action, Action::Log(_)));
        actions
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.on(Event::Signal(signal))
    }

    fn after(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.on(Event::Alarm)
    }

    /// Goes from one due time to the next, the dirty arbiter giving signs of
    /// life, until an action comes that is
    /// no heartbeat.
    fn until_action(&mut self) -> (Duration, Vec<Action>) {
        self.go_on(true)
    }

    fn go_on(&mut self, alive: bool) -> (Duration, Vec<Action>) {
        let start = self.now;
        loop {
            self.now = self.machine.due().instant().expect("something is due").max(self.now);
            if alive {
                self.on(Event::Report(Report::Alive));
            }
            let actions = self.on(Event::Alarm);
            let is_beat = |a: &Action| matches!(a, Action::Ping | Action::Notify(Notice::Watchdog));
            if !actions.iter().all(is_beat) {
                return (self.now - start, actions);
            }
        }
    }
}

#[test]
fn signals_are_forwarded_as_the_table_says() {
    let mut bench = Bench::serving();
    for signal in [Signal::SIGTTIN, Signal::SIGTTOU] {
        assert_eq!(bench.signal(signal), [Action::Signal(signal)]);
    }
    let hup = bench.signal(Signal::SIGHUP);
    assert_eq!(hup, [Action::Notify(Notice::Reloading), Action::Signal(Signal::SIGHUP)]);
    assert_eq!(bench.on(Event::Report(Report::Reloaded)), [Action::Notify(Notice::Ready)]);
    let usr1 = bench.signal(Signal::SIGUSR1);
    assert_eq!(usr1, [Action::ReopenLog, Action::Signal(Signal::SIGUSR1)]);
}

#[test]
fn term_drains_whoever_repeats_it_and_a_second_int_ends_at_once() {
    for first in [Signal::SIGTERM, Signal::SIGINT] {
        let mut bench = Bench::serving();
        let actions = bench.signal(first);
        assert!(actions.contains(&Action::CloseSocket));
        assert!(actions.contains(&Action::Signal(Signal::SIGTERM)));
        assert!(bench.signal(Signal::SIGHUP).is_empty(), "an end cannot be reloaded");
        assert!(bench.signal(Signal::SIGTERM).is_empty(), "another operator's");
        assert!(bench.signal(Signal::SIGINT).contains(&Action::Signal(Signal::SIGQUIT)));
        let actions = bench.on(Event::DirtyExited(Exit::Code(0)));
        assert_eq!(actions, [Action::Sweep { all: true }, Action::Exit(0)]);
    }
}

#[test]
fn a_dirty_arbiter_that_does_not_end_is_killed_and_the_exit_code_tells() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGTERM);
    let (waited, actions) = bench.until_action();
    assert_eq!(waited, dirty_arbiter_is_killed(GRACE), "it has its time");
    assert_eq!(actions.last(), Some(&Action::Signal(Signal::SIGKILL)));
    let actions = bench.on(Event::DirtyExited(Exit::Signal(9)));
    assert_eq!(actions.last(), Some(&Action::Exit(1)));
}

/// It is told before it has a handler for the signal, so the signal ends it.
#[test]
fn a_stop_right_after_the_start_is_a_clean_one() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGTERM);
    let actions = bench.on(Event::DirtyExited(Exit::Signal(Signal::SIGTERM as i32)));
    assert_eq!(actions.last(), Some(&Action::Exit(0)));
}

#[test]
fn quit_needs_no_drain() {
    let mut bench = Bench::serving();
    assert!(bench.signal(Signal::SIGQUIT).contains(&Action::Signal(Signal::SIGQUIT)));
    let (waited, actions) = bench.until_action();
    assert!(waited <= AT_ONCE);
    assert_eq!(actions, [Action::Signal(Signal::SIGKILL)]);
    assert_eq!(bench.on(Event::DirtyExited(Exit::Signal(9))).last(), Some(&Action::Exit(0)));
}

#[test]
fn the_first_death_is_replaced_at_once_later_ones_with_growing_pauses() {
    let mut bench = Bench::serving();
    let died = Event::DirtyExited(Exit::Signal(9));
    assert_eq!(bench.on(died.clone()).last(), Some(&Action::Start));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert!(!bench.on(died.clone()).contains(&Action::Start));
        let (pause, actions) = bench.until_action();
        assert_eq!(actions, [Action::Start]);
        pauses.push(pause);
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!((pauses[0], pauses[11]), (FIRST, LONGEST));
    bench.on(Event::Report(Report::Ready));
    bench.now += HEALTHY;
    assert_eq!(bench.on(died.clone()).last(), Some(&Action::Start), "it had been healthy");
}

#[test]
fn one_that_cannot_even_start_is_tried_again() {
    let mut bench = Bench::new(Standing::Alone);
    assert_eq!(bench.on(Event::Alarm), [Action::Start]);
    // The beat of that moment went to a process that there is not.
    assert_eq!(bench.on(Event::StartFailed), [Action::Notify(Notice::Watchdog)]);
    assert_eq!(bench.until_action().1, [Action::Start]);
}

#[test]
fn silence_is_death() {
    let mut bench = Bench::serving();
    for _ in 0..10 {
        assert_eq!(bench.after(PING), [Action::Ping]);
        assert_eq!(bench.on(Event::Report(Report::Alive)), [Action::Notify(Notice::Watchdog)]);
    }
    let (waited, actions) = bench.go_on(false);
    assert_eq!(actions, [Action::Signal(Signal::SIGKILL)]);
    assert!(waited >= SILENCE && waited <= SILENCE + PING, "{waited:?}");
}

#[test]
fn an_upgrade_ends_with_the_old_one() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::SIGUSR2), [Action::StartSuccessor]);
    assert!(bench.signal(Signal::SIGUSR2).is_empty(), "one at a time");
    let actions = bench.on(Event::SuccessorReport(Report::Ready));
    let notice = Action::Notify(Notice::SuccessorIsMain(true));
    assert_eq!(actions, [Action::AdmitSuccessor, notice, Action::Upgraded(Ok(()))]);
    assert!(bench.machine.is_succeeded());
    let asked_again = bench.signal(Signal::SIGUSR2);
    assert_eq!(asked_again, [Action::Upgraded(Ok(()))], "who asks now hears it, too");
    let actions = bench.signal(Signal::SIGTERM);
    let spared = |action: &Action| matches!(action, Action::SignalSuccessor(_));
    assert!(!actions.iter().any(spared), "the successor stays");
    assert_eq!(bench.on(Event::DirtyExited(Exit::Code(0))).last(), Some(&Action::Exit(0)));
}

#[test]
fn a_bad_successor_leaves_the_old_one_in_charge() {
    let ends: [fn(&mut Bench) -> Vec<Action>; 3] = [
        |bench| bench.on(Event::SuccessorExited(Exit::Code(2))),
        |bench| bench.until_action().1,
        |bench| bench.on(Event::SuccessorReport(Report::Degraded)),
    ];
    for end in ends {
        let mut bench = Bench::serving();
        bench.signal(Signal::SIGUSR2);
        let actions = end(&mut bench);
        let failed = |action: &Action| matches!(action, Action::Upgraded(Err(_)));
        assert!(actions.iter().any(failed), "{actions:?}");
        assert!(!bench.machine.is_succeeded());
        bench.on(Event::SuccessorExited(Exit::Code(0)));
        assert_eq!(
            bench.signal(Signal::SIGUSR2),
            [Action::StartSuccessor],
            "it may be tried again"
        );
    }
}

#[test]
fn a_refused_successor_that_does_not_end_is_killed() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGUSR2);
    bench.on(Event::SuccessorReport(Report::Degraded));
    let (waited, actions) = bench.until_action();
    assert_eq!(waited, successor_is_killed(GRACE), "it has its time");
    assert_eq!(actions, [Action::SignalSuccessor(Signal::SIGKILL)]);
    bench.signal(Signal::SIGUSR2);
    let actions = bench.on(Event::SuccessorExited(Exit::Signal(9)));
    assert_eq!(actions.last(), Some(&Action::StartSuccessor));
}

#[test]
fn a_new_binary_that_cannot_be_started_is_told_as_such() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGUSR2);
    let actions = bench.on(Event::SuccessorNotStarted("no such file".to_owned()));
    assert_eq!(
        actions[0],
        Action::Upgraded(Err(UpgradeFailure::NotStarted("no such file".to_owned())))
    );
    assert_eq!(bench.signal(Signal::SIGUSR2), [Action::StartSuccessor], "it may be tried again");
}

#[test]
fn an_upgrade_that_is_asked_for_while_a_refused_one_ends_begins_after_it() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGUSR2);
    bench.on(Event::SuccessorReport(Report::Degraded));
    assert!(bench.signal(Signal::SIGUSR2).is_empty(), "one at a time");
    let actions = bench.on(Event::SuccessorExited(Exit::Code(0)));
    assert_eq!(actions, [Action::Sweep { all: false }, Action::StartSuccessor]);

    bench.on(Event::SuccessorReport(Report::Degraded));
    bench.signal(Signal::SIGUSR2);
    bench.signal(Signal::SIGTERM);
    let actions = bench.on(Event::SuccessorExited(Exit::Code(0)));
    assert_eq!(actions, [Action::Sweep { all: false }], "none after the end");
}

#[test]
fn a_successor_that_still_boots_ends_with_the_old_one() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGUSR2);
    let actions = bench.signal(Signal::SIGTERM);
    assert!(actions.contains(&Action::SignalSuccessor(Signal::SIGTERM)), "{actions:?}");
    assert!(bench.on(Event::SuccessorReport(Report::Ready)).is_empty(), "too late");
    assert!(!bench.machine.is_succeeded());
}

#[test]
fn a_successor_that_dies_later_gives_the_charge_back() {
    let mut bench = Bench::serving();
    bench.signal(Signal::SIGUSR2);
    bench.on(Event::SuccessorReport(Report::Ready));
    let actions = bench.on(Event::SuccessorExited(Exit::Signal(9)));
    assert!(actions.contains(&Action::Notify(Notice::SuccessorIsMain(false))), "{actions:?}");
    assert!(actions.contains(&Action::SuccessorLost(Exit::Signal(9))), "{actions:?}");
    assert!(!bench.machine.is_succeeded());
}

/// One that has asked for an upgrade and for its own end, and whose successor serves.
fn giving_way() -> Bench {
    let mut bench = Bench::serving();
    assert_eq!(bench.on(Event::UpgradeAndEnd), [Action::StartSuccessor]);
    let actions = bench.on(Event::SuccessorReport(Report::Ready));
    assert_eq!(actions[0], Action::AdmitSuccessor);
    assert!(actions.contains(&Action::GiveWay), "it needs no signal");
    assert!(actions.contains(&Action::TellSuccessor), "a stop has to wait for this one, too");
    assert!(!actions.contains(&Action::Signal(Signal::SIGTERM)), "no call is killed for it");
    assert!(!actions.contains(&Action::CloseSocket), "callers may have to wait for it");
    assert!(bench.on(Event::UpgradeAndEnd).is_empty(), "asked for once more");
    bench
}

#[test]
fn one_that_gives_way_drains_and_ends() {
    let mut bench = giving_way();
    assert_eq!(
        bench.signal(Signal::SIGTERM),
        [Action::Signal(Signal::SIGTERM), Action::Signal(Signal::SIGCONT)],
        "from here on it has graceful_timeout"
    );
    assert!(bench.signal(Signal::SIGTERM).is_empty(), "it drains already");
    assert_eq!(bench.on(Event::DirtyExited(Exit::Code(0))).last(), Some(&Action::Exit(0)));
}

#[test]
fn one_that_gave_way_to_a_dead_one_is_in_charge_again() {
    let mut bench = giving_way();
    bench.on(Event::SuccessorExited(Exit::Signal(9)));
    let actions = bench.on(Event::DirtyExited(Exit::Code(0)));
    assert_eq!(actions.last(), Some(&Action::Start), "the next one is needed at once");
}

#[test]
fn one_that_gave_way_and_was_told_to_end_ends_whatever_becomes_of_the_new_one() {
    for told in [Signal::SIGTERM, Signal::SIGINT] {
        let mut bench = giving_way();
        bench.signal(told);
        bench.on(Event::SuccessorExited(Exit::Signal(9)));
        assert_eq!(bench.on(Event::DirtyExited(Exit::Code(0))).last(), Some(&Action::Exit(0)));
    }
    let mut bench = giving_way();
    bench.on(Event::SuccessorExited(Exit::Code(0)));
    assert_eq!(bench.on(Event::DirtyExited(Exit::Code(0))).last(), Some(&Action::Exit(0)));
}

#[test]
fn the_new_one_tells_the_old_one_and_takes_the_name_when_it_is_gone() {
    let mut bench = Bench::new(Standing::Waiting);
    assert_eq!(bench.on(Event::Alarm), [Action::Start]);
    let told = bench.on(Event::Report(Report::Ready));
    assert_eq!(told, [Action::TellPredecessor(Report::Ready)]);
    assert!(!bench.machine.is_admitted());
    assert_eq!(bench.on(Event::Admitted), [Action::Admit]);
    assert!(bench.machine.is_admitted());
    assert!(bench.signal(Signal::SIGUSR2).is_empty(), "not before the old one is gone");
    let actions = bench.on(Event::PredecessorGone);
    assert_eq!(actions, [Action::TakeName, Action::Notify(Notice::Ready)]);
    assert_eq!(bench.signal(Signal::SIGUSR2), [Action::StartSuccessor]);
}

#[test]
fn a_new_one_that_the_old_one_leaves_alone_admits_itself() {
    let mut bench = Bench::new(Standing::Waiting);
    bench.on(Event::Alarm);
    let actions = bench.on(Event::PredecessorGone);
    assert_eq!(actions[..2], [Action::Admit, Action::TakeName]);
}

#[test]
fn a_new_one_whose_dirty_arbiter_dies_before_it_is_ready_gives_up() {
    let mut bench = Bench::new(Standing::Waiting);
    bench.on(Event::Alarm);
    let actions = bench.on(Event::DirtyExited(Exit::Code(1)));
    assert_eq!(actions.last(), Some(&Action::Exit(1)));
}

#[test]
fn who_is_told_again_and_again_gets_no_more_time_for_it() {
    let mut bench = Bench::serving();
    let start = bench.now;
    bench.signal(Signal::SIGTERM);
    let kill = Action::Signal(Signal::SIGKILL);
    while !bench.on(Event::Alarm).contains(&kill) {
        bench.now += AT_ONCE / 4;
        bench.signal(Signal::SIGINT);
        assert!(bench.now - start <= 2 * AT_ONCE, "it should have been killed by now");
    }
    bench.signal(Signal::SIGINT);
    bench.now += AT_ONCE;
    assert!(!bench.on(Event::Alarm).contains(&kill), "it was killed already");
}

#[test]
fn time_in_which_this_process_was_stopped_is_no_silence() {
    let mut bench = Bench::serving();
    for _ in 0..4 {
        assert_eq!(bench.after(2 * SILENCE), [Action::Ping]);
    }
    bench.on(Event::Report(Report::Alive));
    assert_eq!(bench.after(PING), [Action::Ping]);
}

#[test]
fn systemd_hears_of_life_while_a_dirty_arbiter_boots_and_while_there_is_none() {
    let mut bench = Bench::watched(Standing::Alone, Duration::from_secs(3));
    bench.on(Event::Alarm);
    let watchdog = [Action::Notify(Notice::Watchdog)];
    assert_eq!(bench.on(Event::Report(Report::Alive)), watchdog, "it boots");
    for _ in 0..9 {
        let died = bench.on(Event::DirtyExited(Exit::Signal(9)));
        while !died.contains(&Action::Start) && !bench.until_action().1.contains(&Action::Start) {}
    }
    bench.on(Event::DirtyExited(Exit::Signal(9)));
    let mut heard = Vec::new();
    loop {
        let due = bench.machine.due().instant().expect("something is due");
        let waited = due - std::mem::replace(&mut bench.now, due);
        let actions = bench.on(Event::Alarm);
        if actions.contains(&Action::Start) {
            break;
        }
        assert_eq!(actions, watchdog, "there is none");
        heard.push(waited);
    }
    assert!(heard.len() >= 4 && heard.iter().all(|w| *w <= Duration::from_secs(1)), "{heard:?}");
}

#[test]
fn a_new_one_that_was_admitted_does_not_give_up() {
    let mut bench = Bench::new(Standing::Waiting);
    bench.on(Event::Alarm);
    bench.on(Event::Report(Report::Ready));
    bench.on(Event::Admitted);
    let died = Event::DirtyExited(Exit::Signal(9));
    assert_eq!(bench.on(died.clone()).last(), Some(&Action::Start));
    let actions = bench.on(died);
    assert!(!actions.contains(&Action::Exit(1)), "the old one may be gone soon: {actions:?}");
    assert_eq!(bench.until_action().1, [Action::Start]);
}

#[test]
fn a_new_one_that_ends_takes_the_name_and_nothing_else() {
    let mut bench = Bench::new(Standing::Waiting);
    bench.on(Event::Alarm);
    bench.on(Event::Report(Report::Ready));
    bench.signal(Signal::SIGTERM);
    assert_eq!(bench.on(Event::PredecessorGone), [Action::TakeName]);
}
