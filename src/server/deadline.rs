//! The caller's deadline: the one of the protocol, such as `grpc-timeout`, or the header
//! `x-timeout`. The edge reads it itself, because tonic's own layer would answer CANCELLED.

use std::time::{Duration, Instant};

use http::HeaderName;
use tonic::metadata::MetadataMap;

use crate::{clock::Deadline, config::parse_duration};

/// The header of dirtyd's own clients. Names are made once: to look one up costs every call.
const X_TIMEOUT: HeaderName = HeaderName::from_static("x-timeout");

/// The deadline that the caller sets a call that arrived at `arrived`, by `x-timeout`,
/// such as `5s` or `250ms`, or as its protocol tells it; the earlier one, if both are there. It is
/// [`Deadline::Never`] without a header, or beyond what the clock can count.
///
/// # Errors
/// A header is malformed; the text tells the caller.
pub fn of_caller(
    metadata: &MetadataMap,
    protocols: &Timeout,
    arrived: Instant,
) -> Result<Deadline, String> {
    let headers = metadata.as_ref();
    let own = match headers.get(&X_TIMEOUT) {
        Some(value) => {
            let text = value.to_str().map_err(|error| error.to_string());
            let timeout = text.and_then(parse_duration);
            let timeout =
                timeout.map_err(|why| format!("the x-timeout header is malformed: {why}"))?;
            Deadline::after(arrived, timeout)
        }
        None => Deadline::Never,
    };
    let Some(value) = headers.get(&protocols.header) else { return Ok(own) };
    let timeout = value.to_str().ok().and_then(protocols.parse).ok_or_else(|| {
        let Timeout { header, form, .. } = protocols;
        format!("the {header} header is malformed; write {form}")
    })?;
    Ok(Deadline::after(arrived, timeout).min(own))
}

/// How a protocol tells a deadline.
#[derive(Debug)]
pub struct Timeout {
    header: HeaderName,
    parse: fn(&str) -> Option<Duration>,
    form: &'static str,
}

/// gRPC's.
pub static GRPC: Timeout = Timeout {
    header: HeaderName::from_static("grpc-timeout"),
    parse: of_grpc,
    form: "up to 8 digits and one of H M S m u n",
};

/// Connect's.
pub static CONNECT: Timeout = Timeout {
    header: HeaderName::from_static("connect-timeout-ms"),
    parse: of_connect,
    form: "up to 10 digits, which are milliseconds",
};

fn of_connect(text: &str) -> Option<Duration> {
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    Some(Duration::from_millis(text.parse().ok().filter(|_| is_number)?))
}

fn of_grpc(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_faults() {
        assert_eq!(of_grpc("200m"), Some(Duration::from_millis(200)));
        assert_eq!(of_grpc("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(of_grpc("1n"), Some(Duration::from_nanos(1)));
        for bad in ["", "5", "m", "123456789S", "-1S", "1x", "1é", " 1S"] {
            assert_eq!(of_grpc(bad), None, "{bad:?}");
        }
        assert_eq!(of_connect("9999999999"), Some(Duration::from_millis(9_999_999_999)));
        for bad in ["", "-1", "1.5", "+1", "10000000000", "1s"] {
            assert_eq!(of_connect(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_deadline_counts_from_the_arrival_and_is_never_without_a_header() {
        let arrived = Instant::now();
        let mut metadata = MetadataMap::new();
        assert_eq!(of_caller(&metadata, &GRPC, arrived), Ok(Deadline::Never));
        metadata.insert("grpc-timeout", "3S".parse().expect("metadata"));
        let due = Deadline::At(arrived + Duration::from_secs(3));
        assert_eq!(of_caller(&metadata, &GRPC, arrived), Ok(due));
        // The arbiter's own header leaves gRPC's to the client's library.
        metadata.insert("x-timeout", "250ms".parse().expect("metadata"));
        let due = Deadline::At(arrived + Duration::from_millis(250));
        assert_eq!(of_caller(&metadata, &GRPC, arrived), Ok(due));
        metadata.insert("x-timeout", "1h".parse().expect("metadata"));
        let due = Deadline::At(arrived + Duration::from_secs(3));
        assert_eq!(of_caller(&metadata, &GRPC, arrived), Ok(due), "the earlier one");
        metadata.insert("x-timeout", "soon".parse().expect("metadata"));
        assert!(of_caller(&metadata, &GRPC, arrived).is_err_and(|why| why.contains("x-timeout")));
        metadata.remove("x-timeout");
        metadata.insert("grpc-timeout", "soon".parse().expect("metadata"));
        assert!(of_caller(&metadata, &GRPC, arrived).is_err());
    }
}
