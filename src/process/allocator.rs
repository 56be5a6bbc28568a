//! What the C library of this process does with memory that is freed.

/// A block of this size in bytes or more is a mapping of its own, which goes when
/// the block is freed. This is the largest value that glibc takes.
#[cfg(target_env = "gnu")]
const MAPPED: nix::libc::c_int = 32 * 1024 * 1024;
/// The number of bytes of freed memory that stay with the process.
#[cfg(target_env = "gnu")]
const KEPT: nix::libc::c_int = 128 * 1024 * 1024;

/// Keeps what is freed for the next allocation, up to 128 MiB. By default glibc
/// gives the pages of a large block back at once, and the next one faults them
/// in again, one by one: more than half of what a message of 1 MiB costs.
/// [`give_back_freed`] bounds how long it is kept.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: mallopt takes two integers, and may be called at any time.
    unsafe {
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, MAPPED);
        nix::libc::mallopt(nix::libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Returns the freed memory that is kept to the system.
pub fn give_back_freed() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)]
    // SAFETY: malloc_trim takes an integer, touches only what is free, and may be
    // called at any time.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
