//! gRPC-Web's text: base64, in parts that are padded each for itself.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};

/// The bytes of a text, in which padding may stand wherever a part ends. `None` if it is
/// no base64.
pub fn decoded(text: &[u8]) -> Option<Bytes> {
    let (mut bytes, mut rest) = (BytesMut::with_capacity(text.len() / 4 * 3), text);
    while !rest.is_empty() {
        // Padding ends a group of four.
        let end = match rest.iter().position(|byte| *byte == b'=') {
            Some(at) => (at / 4 + 1) * 4,
            None => rest.len(),
        };
        let (part, behind) = rest.split_at_checked(end)?;
        bytes.extend_from_slice(&STANDARD.decode(part).ok()?);
        rest = behind;
    }
    Some(bytes.freeze())
}

/// Bytes as a part of a text.
pub fn encoded(bytes: &[u8]) -> Bytes {
    STANDARD.encode(bytes).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["a", "abc", "ab=c", "a===", "=", "ab==c", "a b=", "ab==="] {
            assert_eq!(decoded(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_become_what_they_were(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..5)
        ) {
            let text: Vec<u8> = parts.iter().flat_map(|part| encoded(part)).collect();
            prop_assert_eq!(decoded(&text), Some(Bytes::from(parts.concat())));
        }
    }
}
