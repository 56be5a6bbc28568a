//! The code of `proto/`: the public contract and the worker protocol. The files
//! beside this one are generated; `make proto` writes them.

/// Package `dirty.v1`: what callers and operators speak.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!("dirty.v1.rs");
}

/// Package `dirty.worker.v1`: the frames between the arbiter and a worker.
#[cfg(feature = "frames")]
#[allow(missing_docs, clippy::all)]
pub mod worker {
    include!("dirty.worker.v1.rs");
}
