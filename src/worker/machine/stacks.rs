//! Whoever asks what the worker does now, until it says so.

use std::collections::VecDeque;

use dirtyd_client::proto::worker::GetStacks;

use crate::worker::StacksReply;

/// The most questions that wait for the worker: what more come are told that it does not
/// answer.
const MOST: usize = 16;

/// Why there is no answer, although the worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStacks {
    /// Its runtime does not know the question.
    Unable,
    /// It has not answered earlier ones.
    Busy,
}

/// The questions that wait for an answer.
#[derive(Debug, Default)]
pub struct Asked {
    waiting: VecDeque<(u64, StacksReply)>,
    ever: u64,
}

impl Asked {
    /// Notes a question; returns what to send.
    ///
    /// # Errors
    /// Too many wait already.
    pub fn ask(&mut self, reply: StacksReply) -> Result<GetStacks, StacksReply> {
        // Whoever asked has given up.
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        if self.waiting.len() >= MOST {
            return Err(reply);
        }
        self.ever += 1;
        self.waiting.push_back((self.ever, reply));
        Ok(GetStacks { nonce: self.ever })
    }

    /// Where the answer to a question goes; `None` if it was not asked.
    pub fn answered(&mut self, nonce: u64) -> Option<StacksReply> {
        let at = self.waiting.iter().position(|(asked, _)| *asked == nonce)?;
        self.waiting.remove(at).map(|(_, reply)| reply)
    }

    /// Whether this was asked, by whomever: an answer may come when nobody waits any more.
    pub fn was_asked(&self, nonce: u64) -> bool {
        (1..=self.ever).contains(&nonce)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn each_question_has_its_answer_and_who_gave_up_makes_room() {
        let mut asked = Asked::default();
        let ask = |asked: &mut Asked| {
            let (reply, answer) = oneshot::channel();
            (asked.ask(reply).map(|frame| frame.nonce), answer)
        };
        let questions: Vec<_> = (0..MOST).map(|_| ask(&mut asked)).collect();
        assert!(ask(&mut asked).0.is_err(), "the worker does not answer");
        let (nonce, answer) = questions.into_iter().next_back().expect("many");
        let reply = asked.answered(nonce.expect("room")).expect("it waits");
        reply.send(Err(NoStacks::Busy)).expect("it is heard");
        drop(answer);
        assert!(ask(&mut asked).0.is_ok(), "the others have given up");
        assert!(asked.answered(1).is_none() && asked.was_asked(1) && !asked.was_asked(99));
    }
}
