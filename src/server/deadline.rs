//! The caller's deadline, from the `grpc-timeout` header. The edge reads it
//! itself, because tonic's own layer would answer CANCELLED.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

use crate::clock::Deadline;

/// The deadline that the caller sets a call that arrived at `arrived`; it is
/// [`Deadline::Never`] without a header, or beyond what the clock can count.
///
/// # Errors
/// The header is malformed; the text tells the caller.
pub fn of_caller(metadata: &MetadataMap, arrived: Instant) -> Result<Deadline, String> {
    let Some(value) = metadata.get("grpc-timeout") else { return Ok(Deadline::Never) };
    let timeout = value.to_str().ok().and_then(parse).ok_or(
        "the grpc-timeout header is malformed; write up to 8 digits and one of H M S m u n",
    )?;
    Ok(Deadline::after(arrived, timeout))
}

fn parse(text: &str) -> Option<Duration> {
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
        assert_eq!(parse("200m"), Some(Duration::from_millis(200)));
        assert_eq!(parse("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(parse("1n"), Some(Duration::from_nanos(1)));
        for bad in ["", "5", "m", "123456789S", "-1S", "1x", "1é", " 1S"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_deadline_counts_from_the_arrival_and_is_never_without_a_header() {
        let arrived = Instant::now();
        let mut metadata = MetadataMap::new();
        assert_eq!(of_caller(&metadata, arrived), Ok(Deadline::Never));
        metadata.insert("grpc-timeout", "3S".parse().expect("metadata"));
        let due = Deadline::At(arrived + Duration::from_secs(3));
        assert_eq!(of_caller(&metadata, arrived), Ok(due));
        metadata.insert("grpc-timeout", "soon".parse().expect("metadata"));
        assert!(of_caller(&metadata, arrived).is_err());
    }
}
