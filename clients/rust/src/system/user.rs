//! The user that this process runs as.

/// Whether the process has the effective user id of root.
#[allow(unsafe_code)]
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
