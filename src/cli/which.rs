//! Which worker is meant by a number on the command line.

use anyhow::bail;
use dirtyd_client::proto::v1::{StatusResponse, WorkerStatus};

/// A worker, by a number that an operator has read somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Which(u64);

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| {
            format!("`{text}` is not a number; give the arbiter's number of a worker, or its pid")
        })
    }
}

impl Which {
    /// The worker. The number is the arbiter's if some worker has it, else a process id.
    ///
    /// # Errors
    /// No worker has the number; which there are.
    pub fn of(self, status: &StatusResponse) -> anyhow::Result<&WorkerStatus> {
        let Self(number) = self;
        let workers = || status.workers.iter();
        let by_pid = || workers().find(|worker| u64::try_from(worker.pid) == Ok(number));
        match workers().find(|worker| worker.id == number).or_else(by_pid) {
            Some(worker) => Ok(worker),
            None => bail!("no worker has the number or the pid {number}; {}", there_are(status)),
        }
    }
}

/// The name of a worker: `worker 3 (pid 4711)`.
pub fn name(worker: &WorkerStatus) -> String {
    format!("worker {} (pid {})", worker.id, worker.pid)
}

/// The workers, in a sentence.
pub fn there_are(status: &StatusResponse) -> String {
    /// As many as a person reads.
    const MOST: usize = 20;
    let names: Vec<_> = status.workers.iter().take(MOST).map(name).collect();
    match status.workers.len() {
        0 => "there are no workers now; `dirtyd status` shows why apps are not served".to_owned(),
        all if all > MOST => {
            format!("there are {}, and {} more", names.join(", "), all - MOST)
        }
        _ => format!("there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(workers: &[(u64, i32)]) -> StatusResponse {
        let worker =
            |(id, pid): &(u64, i32)| WorkerStatus { id: *id, pid: *pid, ..WorkerStatus::default() };
        let workers = workers.iter().map(worker).collect();
        StatusResponse { workers, ..StatusResponse::default() }
    }

    #[test]
    fn the_arbiters_number_comes_before_the_pid() {
        let status = status(&[(12, 7), (7, 30), (8, 12)]);
        assert_eq!(Which(7).of(&status).expect("by number").pid, 30);
        assert_eq!(Which(12).of(&status).expect("by number").pid, 7);
        assert_eq!(Which(30).of(&status).expect("by pid").id, 7);
    }

    #[test]
    fn a_number_that_no_worker_has_is_answered_with_those_that_there_are() {
        let error = Which(9).of(&status(&[(1, 100), (2, 200)])).expect_err("none");
        assert_eq!(
            error.to_string(),
            "no worker has the number or the pid 9; there are worker 1 (pid 100), worker 2 (pid 200)"
        );
        let many: Vec<_> = (0..30).map(|n| (n, 1000 + n as i32)).collect();
        assert!(there_are(&status(&many)).ends_with("worker 19 (pid 1019), and 10 more"));
        assert!("first".parse::<Which>().is_err());
    }
}
