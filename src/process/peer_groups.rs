//! The groups of the process at the other end of a socket.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// The largest number of groups that Linux gives a process.
const MOST: usize = 65_536;

/// Returns the numbers of all supplementary groups that the process had when it
/// connected, as SO_PEERGROUPS tells them; no crate in use wraps it.
///
/// # Errors
/// The socket has no such peer, or the kernel is older than 4.13.
#[allow(unsafe_code)]
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups: Vec<nix::libc::gid_t> = vec![0; 32];
    loop {
        let mut length = (size_of::<nix::libc::gid_t>() * groups.len()) as nix::libc::socklen_t;
        // SAFETY: the buffer is valid for `length` bytes, and lives through the call.
        let failed = unsafe {
            nix::libc::getsockopt(
                socket.as_raw_fd(),
                nix::libc::SOL_SOCKET,
                nix::libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        } != 0;
        let count = length as usize / size_of::<nix::libc::gid_t>();
        match failed.then(io::Error::last_os_error) {
            None => {
                groups.truncate(count);
                return Ok(groups);
            }
            // The kernel says how many there are.
            Some(error) if error.raw_os_error() == Some(nix::libc::ERANGE) && count <= MOST => {
                groups.resize(count.max(groups.len() + 1), 0);
            }
            Some(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsFd as _, unix::net::UnixStream};

    use super::*;

    #[test]
    fn the_groups_of_this_process_are_those_of_its_socket() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let mut groups = peer_groups(one.as_fd()).expect("Linux");
        let own = nix::unistd::getgroups().expect("groups");
        let mut own: Vec<u32> = own.into_iter().map(nix::unistd::Gid::as_raw).collect();
        groups.sort_unstable();
        own.sort_unstable();
        assert_eq!(groups, own);
    }
}
