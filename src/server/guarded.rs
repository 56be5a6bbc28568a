//! Bytes with something that lives as long as the last part of them, wherever that
//! waits: in a body, in h2, for a worker.

use bytes::Bytes;

/// Messages of up to this size in bytes are worth no guard, as they are worth no
/// buffer of their own.
pub use super::grpc::SMALL;

/// The bytes, not copied; `guard` is dropped with the last slice of them.
pub fn guarded(bytes: Bytes, guard: impl Send + 'static) -> Bytes {
    Bytes::from_owner(Guarded { bytes, _guard: guard })
}

struct Guarded<G> {
    bytes: Bytes,
    _guard: G,
}

impl<G> AsRef<[u8]> for Guarded<G> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
