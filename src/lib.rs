//! dirtyd: a dirty arbiter. See `ARCHITECTURE.md` for the bird's-eye view.

pub mod config;
