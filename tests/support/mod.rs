//! What every test needs: a daemon, and a way to wait for what it does.

mod bare;
mod call;
pub mod collector;
mod daemon;
pub mod family;
pub mod innocent;
pub mod metrics;
mod paths;
pub mod process;
pub mod pty;
mod status;
mod wait;

pub use bare::{bare, execute_with, framed, in_small_frames, of_lab, post, raw};
pub use call::{failure, together};
pub use daemon::Daemon;
pub use paths::{example, python, python_path, repository};
pub use process::{Output, signal};
pub use status::{app, failed_apps, pids};
pub use wait::{LIMIT, eventually};
