//! Panics of actions as errors of their calls.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
};

use super::AppError;

thread_local! {
    /// Where this thread panicked last, and its stack.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes the place of each panic, which its payload does not tell; it is still
/// printed as before.
pub fn record_places() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let mut place = info.location().map_or_else(String::new, |at| format!("    at {at}\n"));
        let stack = Backtrace::capture();
        if stack.status() == BacktraceStatus::Captured {
            place += &stack.to_string();
        }
        PLACE.set(place);
        print(info);
    }));
}

/// Runs something; a panic in it is an error.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, AppError> {
    // What the panic left half done belongs to the app, which chose to panic.
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let message = text(payload.as_ref()).to_owned();
        let trace = format!("panic: {message}\n{}", PLACE.take());
        AppError::with_trace("panic", message, trace)
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
