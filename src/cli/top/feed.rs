//! Asks dirtyd, beside the screen. A connection that broke, or whose arbiter drains
//! because another one serves, is replaced; whoever waits here ends with the feed.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant, SystemTime},
};

use dirtyd_client::proto::v1::{CancelCallRequest, RestartWorkerRequest, WatchEventsRequest};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::model::{Input, Order, Picture};
use crate::cli::{cancel, operator::Operator, stacks};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long another arbiter may take to say that it is there.
const SUCCESSOR: Duration = Duration::from_millis(500);
/// The pause before events are asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// The most answers that wait for the screen; further ones wait for their turn.
const MOST_ANSWERS: usize = 64;

/// What is asked, and the answers.
pub struct Feed {
    operator: Operator,
    answers: Receiver<Answer>,
    sender: Sender<Answer>,
    tasks: JoinSet<()>,
    /// Whether a picture is being asked for.
    is_asking: bool,
    is_draining: bool,
}

enum Answer {
    Picture(anyhow::Result<Box<Picture>>, Box<Operator>),
    Other(Input),
}

impl Feed {
    /// Begins to watch events.
    pub fn new(operator: Operator) -> Self {
        let (sender, answers) = mpsc::channel(MOST_ANSWERS);
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(operator.clone(), sender.clone()));
        Self { operator, answers, sender, tasks, is_asking: false, is_draining: false }
    }

    /// The next answer. Dropped while it waits, it loses nothing.
    ///
    /// # Panics
    /// A task of the feed has panicked.
    pub async fn next(&mut self) -> Input {
        loop {
            let answer = tokio::select! {
                answer = self.answers.recv() => answer.expect("a sender is here"),
                Some(ended) = self.tasks.join_next() => match ended {
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    _ => continue,
                },
            };
            match answer {
                Answer::Other(input) => return input,
                Answer::Picture(picture, operator) => return self.on_picture(picture, *operator),
            }
        }
    }

    fn on_picture(&mut self, picture: anyhow::Result<Box<Picture>>, operator: Operator) -> Input {
        self.is_asking = false;
        match picture {
            Ok(picture) => {
                self.operator = operator;
                let arbiter = picture.status.arbiter.as_ref();
                self.is_draining = arbiter.is_some_and(|arbiter| arbiter.draining);
                Input::Picture(picture)
            }
            Err(why) => {
                self.operator = self.operator.again();
                Input::Lost(first_line(&why))
            }
        }
    }

    /// Asks for a picture, unless one is on its way.
    pub fn refresh(&mut self) {
        if std::mem::replace(&mut self.is_asking, true) {
            return;
        }
        let (operator, sender) = (self.operator.clone(), self.sender.clone());
        let is_draining = self.is_draining;
        self.tasks.spawn(async move {
            let mut operator = if is_draining { successor(operator).await } else { operator };
            let picture = picture(&mut operator).await.map(Box::new);
            let _ = sender.send(Answer::Picture(picture, Box::new(operator))).await;
        });
    }

    /// Asks for the stacks of a worker.
    pub fn stacks(&mut self, worker: u64) {
        let mut operator = self.operator.clone();
        self.ask(async move {
            let text = in_time(stacks::text_of(&mut operator, worker)).await;
            Input::Stacks(worker, text.map_err(|why| format!("{why:#}")))
        });
    }

    /// Carries out an order.
    pub fn order(&mut self, order: Order) {
        let mut operator = self.operator.clone();
        self.ask(async move {
            let told = in_time(carry_out(&mut operator, order)).await;
            Input::Told(told.unwrap_or_else(|why| first_line(&why)))
        });
    }

    fn ask(&mut self, question: impl Future<Output = Input> + Send + 'static) {
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let _ = sender.send(Answer::Other(question.await)).await;
        });
    }
}

/// The state of the arbiter now.
///
/// # Errors
/// dirtyd does not answer.
pub async fn picture(operator: &mut Operator) -> anyhow::Result<Picture> {
    let status = in_time(operator.status()).await?;
    // An older arbiter does not know the question; the rest is worth seeing.
    let calls = in_time(operator.calls(String::new(), 0)).await;
    let (calls, left_out) = match calls {
        Ok(calls) => (Ok(calls.calls), calls.left_out),
        Err(why) => (Err(format!("the calls are not known: {}", first_line(&why))), 0),
    };
    Ok(Picture { taken: Instant::now(), wall: SystemTime::now(), status, calls, left_out })
}

/// Another arbiter, if one serves at the same socket by now.
async fn successor(operator: Operator) -> Operator {
    let mut fresh = operator.again();
    match timeout(SUCCESSOR, fresh.status()).await {
        Ok(Ok(_)) => fresh,
        Ok(Err(_)) | Err(_) => operator,
    }
}

async fn carry_out(operator: &mut Operator, order: Order) -> anyhow::Result<String> {
    match order {
        Order::Cancel { call, .. } => {
            let request = CancelCallRequest { call_id: call };
            let answer = operator.admin().cancel_call(request).await;
            let answer = answer.map_err(|status| operator.failed(status))?.into_inner();
            Ok(format!("cancelled: call {call}, {}", cancel::outcome(answer.state())))
        }
        Order::Restart { worker, pid } => {
            let request = RestartWorkerRequest { worker_id: worker };
            let answer = operator.admin().restart_worker(request).await;
            answer.map_err(|status| operator.failed(status))?;
            Ok(format!("worker {worker} (pid {pid}) leaves once another one is ready"))
        }
    }
}

/// Hands on events for as long as anybody takes them, from whichever arbiter serves.
async fn watch(operator: Operator, sender: Sender<Answer>) {
    loop {
        let mut operator = operator.again();
        if let Ok(events) = operator.admin().watch_events(WatchEventsRequest {}).await {
            let mut events = events.into_inner();
            while let Ok(Some(event)) = events.message().await {
                let event = Answer::Other(Input::Event(Box::new(event)));
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// What a future gives, unless it takes too long.
async fn in_time<T>(answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let answer = timeout(PATIENCE, pin!(answer)).await;
    answer.unwrap_or_else(|_| Err(anyhow::anyhow!("dirtyd has not answered for {PATIENCE:?}")))
}

fn first_line(why: &anyhow::Error) -> String {
    format!("{why:#}").lines().next().unwrap_or_default().to_owned()
}
