//! The repair of a value, for all values.

use http::uri::Authority;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::huffman::{bits, decode, encode};
use super::super::value::{repair, repair_pieces};

/// The longest code that a legal byte has, and the most bits behind the last one.
const LONGEST_LEGAL: usize = 13;
const MAX_PADDING: usize = 7;

/// Bytes as they are in paths, in authorities, and anywhere.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let of = |alphabet: &'static [u8]| vec(proptest::sample::select(alphabet), 1..110);
    prop_oneof![
        of(b"/%.-_azAZ09"),
        of(b"a1:@[]%./"),
        of(b"abc:1.[]"),
        vec(prop_oneof![8 => 32u8..127, 1 => any::<u8>()], 1..110),
        vec(any::<u8>(), 1..40),
    ]
}

fn is_legal(text: &[u8]) -> bool {
    Authority::try_from(text).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_raw_value_is_always_accepted_after_it(sent in text()) {
        let mut value = sent.clone();
        repair(&mut value, false);
        prop_assert!(is_legal(&value), "{}", value.escape_ascii());
        prop_assert_eq!(value == sent, is_legal(&sent));
        prop_assert!(value.iter().zip(&sent).all(|(now, before)| now == before || *now == b'-'));
    }

    #[test]
    fn a_coded_value_is_accepted_where_any_text_could_be(sent in text()) {
        let mut value = encode(&sent);
        let len = value.len();
        repair(&mut value, true);
        let text = decode(&value).unwrap();
        prop_assert_eq!((value.len(), text.len()), (len, sent.len()));
        if is_legal(&sent) || 8 * len > LONGEST_LEGAL * sent.len() + MAX_PADDING {
            prop_assert_eq!(text, sent);
        } else {
            prop_assert!(is_legal(&text), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_value_in_pieces_is_repaired_like_a_whole_one(
        sent in text(),
        huffman in any::<bool>(),
        size in 1usize..20,
    ) {
        let mut whole = if huffman { encode(&sent) } else { sent };
        let mut bytes = Vec::new();
        let mut pieces = Vec::new();
        for piece in whole.chunks(size) {
            bytes.extend(b"/head/");
            pieces.push(bytes.len()..bytes.len() + piece.len());
            bytes.extend(piece);
        }
        repair_pieces(&mut bytes, &pieces, huffman);
        repair(&mut whole, huffman);
        let expected: Vec<u8> =
            whole.chunks(size).flat_map(|piece| [b"/head/", piece].concat()).collect();
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn what_does_not_decode_is_left_alone(sent in vec(any::<u8>(), 1..60)) {
        let mut value = sent.clone();
        repair(&mut value, true);
        prop_assert!(value == sent || decode(&sent).is_some_and(|text| !is_legal(&text)));
    }
}

#[test]
fn the_code_of_a_path_changes_in_its_slashes_only() {
    let mut value = encode(b"/run/x%2Fy.sock");
    repair(&mut value, true);
    assert_eq!(decode(&value).unwrap(), b"-run-x-2Fy.sock");
    assert_eq!((bits(b'/'), bits(b'%')), (bits(b'-'), bits(b'-')));
}
