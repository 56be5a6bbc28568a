use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http_body_util::BodyExt as _;
use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;
use crate::observe::{history::STEP, recent::SLOW};

/// An arbiter whose pictures are counted, and made only while `answers`.
struct Arbiter {
    made: Arc<AtomicUsize>,
    answers: watch::Receiver<bool>,
    past: Arc<Mutex<(History, RecentCalls)>>,
}

struct World {
    feed: Feed,
    made: Arc<AtomicUsize>,
    answers: watch::Sender<bool>,
    past: Arc<Mutex<(History, RecentCalls)>>,
    events: mpsc::UnboundedSender<v1::WatchEventsResponse>,
}

impl Source for Arbiter {
    async fn picture(&self) -> Option<(v1::StatusResponse, v1::ListCallsResponse)> {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.answers.clone().wait_for(|answers| *answers).await.ok()?;
        Some(Default::default())
    }

    fn past<T>(&self, look: impl FnOnce(&History, &RecentCalls) -> T) -> T {
        let past = self.past.lock().expect("no panic");
        look(&past.0, &past.1)
    }
}

impl World {
    fn new() -> Self {
        let made = Arc::new(AtomicUsize::new(0));
        let past = (History::new(Instant::now()), RecentCalls::new(SLOW));
        let past = Arc::new(Mutex::new(past));
        let (answers, watched) = watch::channel(true);
        let (events, told) = mpsc::unbounded_channel();
        let arbiter =
            Arbiter { made: Arc::clone(&made), answers: watched, past: Arc::clone(&past) };
        let (feed, task) = feed(arbiter, UnboundedReceiverStream::new(told));
        tokio::spawn(task);
        Self { feed, made, answers, past, events }
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    fn happens(&self, message: &str) {
        let event = v1::WatchEventsResponse { message: message.to_owned(), ..Default::default() };
        self.events.send(event).expect("the feed listens");
    }
}

async fn next(page: &mut PageFeed) -> Bytes {
    let frame = page.frame().await.expect("it goes on").expect("no error");
    frame.into_data().expect("data")
}

/// The name and the object of the next event; those without a name are left out.
async fn event(page: &mut PageFeed) -> (String, Json) {
    loop {
        let bytes = next(page).await;
        let text = std::str::from_utf8(&bytes).expect("text");
        let Some(text) = text.strip_prefix("event: ") else { continue };
        let (name, data) = text.split_once("\ndata: ").expect("data");
        let data = data.strip_suffix("\n\n").expect("the end");
        return (name.to_owned(), serde_json::from_str(data).expect("JSON in one line"));
    }
}

async fn until(page: &mut PageFeed, name: &str) -> Json {
    loop {
        let (of, object) = event(page).await;
        if of == name {
            return object;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_sent_the_past_first_and_then_the_present_each_second() {
    let world = World::new();
    let mut page = world.feed.open(false).expect("room");
    let (name, hello) = event(&mut page).await;
    assert_eq!(name, "hello");
    assert_eq!((&hello["operate"], &hello["step"]), (&false.into(), &5000.0.into()));
    for made in 1..=3 {
        assert_eq!(event(&mut page).await.0, "picture");
        assert_eq!(world.made(), made);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_pages_share_one_picture_and_there_is_room_for_no_more() {
    let world = World::new();
    let mut pages: Vec<_> =
        (0..MOST_PAGES).map(|_| world.feed.open(false).expect("room")).collect();
    assert_eq!(world.feed.open(false).expect_err("no room"), NoFeed::Full);
    let (mut hellos, mut pictures) = (Vec::new(), Vec::new());
    for page in &mut pages {
        hellos.push(next(page).await);
    }
    for page in &mut pages {
        pictures.push(next(page).await);
    }
    assert_eq!(world.made(), 1);
    for frames in [&hellos, &pictures] {
        let same = |frame: &Bytes| frame.as_ptr() == frames[0].as_ptr();
        assert!(frames.iter().all(same), "they share the bytes, too");
    }
    pages.pop();
    world.feed.open(false).expect("room again");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_whether_it_may_operate_whatever_others_may() {
    let world = World::new();
    let pages = [false, true, false, true].map(|may| (may, world.feed.open(may).expect("room")));
    for (may, mut page) in pages {
        assert_eq!(until(&mut page, "hello").await["operate"], may);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_while_no_page_is_open() {
    let world = World::new();
    let mut page = world.feed.open(false).expect("room");
    until(&mut page, "picture").await;
    drop(page);
    tokio::time::sleep(SECOND * 100).await;
    // The one in which it is seen that the page has left.
    assert_eq!(world.made(), 2);
    let mut page = world.feed.open(false).expect("room");
    until(&mut page, "picture").await;
    assert_eq!(world.made(), 3, "at once, and anew");
}

#[tokio::test(start_paused = true)]
async fn events_are_told_at_once_even_while_a_picture_takes_long() {
    let world = World::new();
    world.answers.send_replace(false);
    world.happens("before");
    let mut page = world.feed.open(false).expect("room");
    let hello = until(&mut page, "hello").await;
    assert_eq!(hello["events"][0]["message"], "before");
    world.happens("meanwhile\nand\u{1b} on");
    let (name, told) = event(&mut page).await;
    assert_eq!((name.as_str(), &told["message"]), ("event", &"meanwhile\nand\\x1b on".into()));
    assert!(next(&mut page).await.starts_with(b":"), "a heartbeat");
    assert_eq!(world.made(), 1, "no second one is asked for");
    world.answers.send_replace(true);
    until(&mut page, "picture").await;
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_history_is_told_once_and_a_page_that_opens_has_it_already() {
    let world = World::new();
    let mut first = world.feed.open(false).expect("room");
    until(&mut first, "picture").await;
    let step = |number| {
        let mut past = world.past.lock().expect("no panic");
        let now = past.0.moments().next_back().unwrap_or_else(Instant::now) + STEP * number;
        assert!(past.0.step(now, &[]));
    };
    step(1);
    let mut second = world.feed.open(false).expect("room");
    let hello = until(&mut second, "hello").await;
    assert_eq!(hello["history"]["moments"].as_array().map(Vec::len), Some(1));
    let steps = until(&mut first, "steps").await;
    assert_eq!(steps["moments"].as_array().map(Vec::len), Some(1));
    until(&mut first, "picture").await;
    until(&mut second, "picture").await;
    step(1);
    step(1);
    for page in [&mut first, &mut second] {
        let steps = until(page, "steps").await;
        assert_eq!(steps["moments"].as_array().map(Vec::len), Some(2), "only new ones, and all");
        assert_eq!(steps["all"]["calls"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_nothing_is_left_behind_and_the_others_are_served() {
    let world = World::new();
    let mut slow = world.feed.open(false).expect("room");
    let mut quick = world.feed.open(false).expect("room");
    until(&mut quick, "picture").await;
    let text = "x".repeat(500);
    for _ in 0..3000 {
        world.happens(&text);
        until(&mut quick, "event").await;
    }
    until(&mut quick, "picture").await;
    // It holds nothing, and ends.
    assert!(slow.frame().await.is_none());
    until(&mut quick, "picture").await;
}

#[tokio::test(start_paused = true)]
async fn pages_end_with_the_events_of_the_arbiter() {
    let World { feed, events, .. } = World::new();
    let mut page = feed.open(false).expect("room");
    until(&mut page, "picture").await;
    drop(events);
    while page.frame().await.is_some() {}
    assert_eq!(feed.open(false).expect_err("no task"), NoFeed::Ended);
}
