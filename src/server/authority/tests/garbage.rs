//! Whatever comes in: no panic, as many bytes out as in, and the same ones however they were cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::client::{Connection, Form, raw};
use super::splits::{transcript, try_through, whole};

/// The lengths of reads, over and over, and the room that the reader has.
fn cuts() -> impl Strategy<Value = (Vec<usize>, usize)> {
    (vec(1usize..40, 1..10), 1usize..60)
}

fn cut(sent: &[u8], (reads, room): &(Vec<usize>, usize)) -> Option<Vec<u8>> {
    let (mut pieces, mut rest) = (Vec::new(), sent);
    for read in reads.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, later) = rest.split_at(rest.len().min(*read));
        pieces.push(piece);
        rest = later;
    }
    try_through(pieces, *room)
}

fn check(sent: &[u8], cuts: &(Vec<usize>, usize)) -> Result<(), TestCaseError> {
    let came = cut(sent, cuts);
    prop_assert!(came.as_ref().is_none_or(|came| came.len() == sent.len()));
    prop_assert_eq!(came, try_through([sent], 1 << 20));
    Ok(())
}

proptest! {
    #[test]
    fn anything(sent in vec(any::<u8>(), 0..500), cuts in cuts()) {
        prop_assert_eq!(cut(&sent, &cuts), Some(sent), "not HTTP/2, not touched");
    }

    #[test]
    fn anything_in_frames(
        frames in vec((0u8..12, any::<u8>(), vec(any::<u8>(), 0..60)), 0..20),
        cuts in cuts(),
    ) {
        let mut sent = Connection::new();
        for (kind, flags, payload) in &frames {
            sent = sent.frame(*kind, *flags, payload);
        }
        check(&sent.bytes, &cuts)?;
    }

    #[test]
    fn a_connection_with_bytes_changed(
        changes in vec((any::<Index>(), any::<u8>()), 1..20),
        cuts in cuts(),
    ) {
        let mut sent = transcript().bytes;
        for (place, byte) in changes {
            let place = place.index(sent.len());
            sent[place] = byte;
        }
        check(&sent, &cuts)?;
    }

    #[test]
    fn a_connection_with_bytes_lost_or_repeated(
        from in any::<Index>(),
        to in any::<Index>(),
        cuts in cuts(),
    ) {
        let bytes = transcript().bytes;
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        check(&[&bytes[..from], &bytes[to..]].concat(), &cuts)?;
    }
}

/// Where h2 gives up on an integer the walker does too, before it overflows.
#[test]
fn an_integer_without_end() {
    let path = Form::Indexing.indexed(1, &raw("/run/x.sock"));
    for first in [0xff, 0x7f, 0x3f, 0x1f, 0x0f] {
        for long in [4, 5, 40] {
            let integer = [&[first][..], &vec![0xff; long], &[0x7f]].concat();
            let sent = Connection::new().request(&[&integer[..], &path].concat()).request(&path);
            assert_eq!(whole(&sent.bytes), sent.bytes);
        }
    }
}
