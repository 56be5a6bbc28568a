//! How times, states and calls are shown, by all commands alike.

use std::time::Duration;

use dirtyd_client::proto::v1::{CallState, CallStatus, WorkerState};

/// A duration of the contract; none counts as zero.
pub fn duration(duration: Option<prost_types::Duration>) -> Duration {
    duration.and_then(|duration| duration.try_into().ok()).unwrap_or_default()
}

/// A duration of the contract as JSON has it; unset stays so.
pub fn seconds(time: Option<prost_types::Duration>) -> Option<f64> {
    time.map(|_| duration(time).as_secs_f64())
}

/// In whole seconds: `1h 3m 20s`.
pub fn whole_seconds(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// In at most six characters: `350us`, `4.2ms`, `1.5s`, `3m20s`, `4h05m`, `12d3h`.
pub fn short(duration: Duration) -> String {
    let (seconds, micros) = (duration.as_secs(), duration.as_micros());
    match seconds {
        0 if micros < 1_000 => format!("{micros}us"),
        0 if micros < 9_950 => format!("{:.1}ms", micros as f64 / 1e3),
        0 => format!("{}ms", micros / 1_000),
        1..60 => format!("{:.1}s", (duration.as_millis() / 100) as f64 / 10.0),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        86_400..8_640_000 => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Bytes in at most five characters: `350K`, `25M`, `1.5G`, `120G`.
pub fn size(bytes: u64) -> String {
    let mut amount = bytes as f64 / 1024.0;
    let mut units = "KMGTPE".chars();
    let mut unit = units.next();
    while amount >= 1000.0 {
        amount /= 1024.0;
        unit = units.next();
    }
    let unit = unit.unwrap_or('?');
    match unit {
        'K' | 'M' => format!("{amount:.0}{unit}"),
        _ if amount < 9.95 => format!("{amount:.1}{unit}"),
        _ => format!("{amount:.0}{unit}"),
    }
}

/// The stage of life of a worker.
pub fn state_name(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Unspecified => "unknown",
        WorkerState::Booting => "booting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
    }
}

/// Where a call is.
pub fn call_state(state: CallState) -> &'static str {
    match state {
        CallState::Unspecified => "unknown",
        CallState::Queued => "queued",
        CallState::Running => "running",
        CallState::Abandoned => "abandoned",
    }
}

/// App and action: `shop:Shop.hang`.
pub fn call_name(call: &CallStatus) -> String {
    format!("{}.{}", call.app, call.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_has_six_characters_at_most() {
        for (millis, text) in [
            (0.0, "0us"),
            (0.35, "350us"),
            (4.2, "4.2ms"),
            (9.96, "9ms"),
            (999.9, "999ms"),
            (1_540.0, "1.5s"),
            (59_999.0, "59.9s"),
            (200_000.0, "3m20s"),
            (3_599_999.0, "59m59s"),
            (14_700_000.0, "4h05m"),
            (86_399_000.0, "23h59m"),
            (1_047_600_000.0, "12d3h"),
            (8_639_999_000.0, "99d23h"),
            (8_640_000_000.0, "100d"),
        ] {
            let short = short(Duration::from_secs_f64(millis / 1e3));
            assert_eq!(short, text);
            assert!(short.len() <= 6, "{short}");
        }
    }

    #[test]
    fn a_size_has_five_characters_at_most() {
        for (bytes, text) in [
            (0, "0K"),
            (999 << 10, "999K"),
            (1_000 << 10, "1M"),
            (25 << 20, "25M"),
            (1_536 << 20, "1.5G"),
            (120 << 30, "120G"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
