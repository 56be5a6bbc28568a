//! The caller's deadline: the `grpc-timeout` header. The edge reads it itself,
//! because tonic's own layer would answer CANCELLED.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// The time that the caller gives the call, if it says.
///
/// # Errors
/// The header is malformed.
pub fn caller_timeout(metadata: &MetadataMap) -> Result<Option<Duration>, String> {
    let Some(value) = metadata.get("grpc-timeout") else { return Ok(None) };
    value.to_str().ok().and_then(parse).map(Some).ok_or_else(|| {
        "the grpc-timeout header is malformed: it is up to 8 digits and one of H M S m u n"
            .to_owned()
    })
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
}
