//! The stacks of a Python worker, as faulthandler writes them: many lines, one event.

use std::mem;

/// The longest dump that is kept in one piece, in lines.
const MOST: usize = 1000;
/// What a dump begins with if Python itself has failed.
const FATAL: &str = "Fatal Python error: ";
/// What a dump ends with if Python has failed.
const MODULES: &str = "Extension modules: ";
/// What stands in the paths of files that are not the app's.
const NOT_THE_APPS: [&str; 4] =
    ["/python3", "/site-packages/", "/dist-packages/", "/dirtyd/worker/"];

/// A dump of which more may come.
#[derive(Debug, Default)]
pub struct Stacks {
    lines: Vec<String>,
}

impl Stacks {
    /// Takes a line that is a part of a dump.
    pub fn takes(&mut self, line: &str) -> bool {
        let is_part = match self.is_empty() {
            true => begins(line),
            false => begins(line) || goes_on(line),
        };
        let takes = is_part && self.lines.len() < MOST;
        if takes {
            self.lines.push(line.to_owned());
        }
        takes
    }

    /// Whether no dump has begun.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How Python says that it has failed, if the dump begins with that.
    pub fn failure(&self) -> Option<&str> {
        self.lines.first().filter(|line| line.starts_with(FATAL)).map(String::as_str)
    }

    /// The dump, if one has begun. The threads in which code of the app runs come first;
    /// if Python has failed, the one in which it did comes before them.
    pub fn end(&mut self) -> Option<String> {
        let lines = mem::take(&mut self.lines);
        if lines.is_empty() {
            return None;
        }
        let is_failure = lines[0].starts_with(FATAL);
        let (mut head, mut threads, mut tail) = (Vec::new(), Vec::<Vec<&str>>::new(), Vec::new());
        for line in lines.iter().map(String::as_str).filter(|line| !line.is_empty()) {
            match threads.last_mut() {
                _ if is_thread(line) => threads.push(vec![line]),
                Some(_) if line.starts_with(MODULES) => tail.push(line),
                Some(thread) => thread.push(line),
                None => head.push(line),
            }
        }
        threads.sort_by_key(|thread| {
            let is_current = thread[0].starts_with("Current");
            let is_of_the_app = thread.iter().any(|line| is_of_the_app(line));
            (is_failure && !is_current, !is_of_the_app)
        });
        let text = [head].into_iter().chain(threads).chain([tail]).flatten().collect::<Vec<_>>();
        Some(text.join("\n"))
    }
}

fn begins(line: &str) -> bool {
    is_thread(line) || line.starts_with(FATAL)
}

fn is_thread(line: &str) -> bool {
    (line.starts_with("Thread 0x") || line.starts_with("Current thread 0x"))
        && line.ends_with("(most recent call first):")
}

fn goes_on(line: &str) -> bool {
    let starts = ["  File ", "  ...", "  <", "Python runtime state: ", MODULES];
    line.is_empty() || starts.iter().any(|start| line.starts_with(start))
}

fn is_of_the_app(line: &str) -> bool {
    line.starts_with("  File ") && !NOT_THE_APPS.iter().any(|part| line.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: [&str; 8] = [
        "Thread 0x00007f01 (most recent call first):",
        "  File \"/usr/lib/python3.11/threading.py\", line 324 in wait",
        "  File \"/srv/.venv/lib/python3.11/site-packages/dirtyd/worker/reader.py\", line 9 in run",
        "",
        "Current thread 0x00007f02 (most recent call first):",
        "  File \"/usr/lib/python3.11/socket.py\", line 12 in recv",
        "  File \"/srv/shop/app.py\", line 7 in render",
        "  File \"/srv/.venv/lib/python3.11/site-packages/dirtyd/worker/actions.py\", line 3 in call",
    ];

    #[test]
    fn a_dump_is_one_text_with_the_threads_of_the_app_first() {
        let mut stacks = Stacks::default();
        assert!(!stacks.takes("  File \"x\", line 1 in y"), "it begins with a thread");
        assert!(DUMP.iter().all(|line| stacks.takes(line)));
        assert!(!stacks.takes("another line"));
        assert_eq!(stacks.failure(), None);
        let text = stacks.end().expect("a dump");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, [&DUMP[4..], &DUMP[..3]].concat());
        assert!(stacks.is_empty());
        assert_eq!(stacks.end(), None);
    }

    #[test]
    fn what_python_says_of_its_own_failure_stays_in_front() {
        let mut stacks = Stacks::default();
        let first = ["Fatal Python error: Segmentation fault", ""];
        for line in first.iter().chain(&DUMP).chain(&["", "Extension modules: numpy (total: 1)"]) {
            assert!(stacks.takes(line));
        }
        assert_eq!(stacks.failure(), Some("Fatal Python error: Segmentation fault"));
        let text = stacks.end().expect("a dump");
        assert!(text.starts_with("Fatal Python error: Segmentation fault\nCurrent thr"));
        assert!(text.ends_with("\nExtension modules: numpy (total: 1)"));
    }

    #[test]
    fn a_dump_without_an_end_is_cut() {
        let mut stacks = Stacks::default();
        let taken = (0..3 * MOST).filter(|_| stacks.takes(DUMP[0])).count();
        assert_eq!(taken, MOST);
    }
}
