//! A process that has nothing to do with any daemon, and must outlive the test.

use std::process::{Child, Command};

/// Ends with the test.
pub struct Innocent(Child);

impl Innocent {
    /// Starts one.
    pub fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep"))
    }

    /// Starts one with this in its environment.
    pub fn with(variable: &str, value: &str) -> Self {
        Self(Command::new("sleep").arg("1000").env(variable, value).spawn().expect("sleep"))
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
