//! A caller's request as the arbiter reads it: app and action, and no further.

use bytes::Bytes;
use dirtyd::internals::Envelope;
use dirtyd_client::proto::v1::ExecuteRequest;
use prost::Message as _;

use crate::engine::Target;

/// The longest name in bytes, as the contract says.
const LONGEST_NAME: usize = 255;

#[test]
fn envelope() {
    let words: &[&[u8]] = &[
        b"\x0a\x03a:A",
        b"\x12\x03act",
        b"\x1a\x02\x08\x00",
        b"\x22\x05\x0a\x01k\x12\x00",
        b"\x0a\x00",
        b"\x0a\xff\x01",
        b"\x1b\x1c",
    ];
    Target { name: "envelope", words, check }.run();
}

/// The payload stays as it came, names are valid, and a request in an encoder's usual order has the
/// names that protobuf reads.
fn check(sent: &[u8]) {
    let payload = Bytes::copy_from_slice(sent);
    match Envelope::read(payload.clone()) {
        Ok(envelope) => {
            assert_eq!(envelope.payload.as_ptr_range(), payload.as_ptr_range(), "not copied");
            for name in [&envelope.app, &envelope.action] {
                assert!((1..=LONGEST_NAME).contains(&name.len()), "{name:?}");
            }
        }
        Err(message) => assert!(message.contains("request") || message.contains('`'), "{message}"),
    }
    let Ok(request) = ExecuteRequest::decode(sent) else { return };
    let usual = Envelope::read(request.encode_to_vec().into());
    let fits = |name: &str| (1..=LONGEST_NAME).contains(&name.len());
    assert_eq!(usual.is_ok(), fits(&request.app) && fits(&request.action), "{request:?}");
    if let Ok(envelope) = usual {
        assert_eq!((envelope.app, envelope.action), (request.app, request.action));
    }
}
