//! What /proc says about the processor time of a process.

use std::{fs, time::Duration};

/// The processor time that a process has used, in user and in kernel mode; `None` once it
/// is gone.
pub fn cpu_time(pid: i32) -> Option<Duration> {
    read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, ticks_per_second())
}

fn read(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    // The name stands in brackets and may hold anything, brackets too. The state follows
    // it, as field 3; user and kernel time are 14 and 15.
    let (_, tail) = stat.rsplit_once(") ")?;
    let mut times = tail.split(' ').skip(11);
    let (user, kernel): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(Duration::from_secs_f64((user + kernel) as f64 / ticks_per_second as f64))
}

fn ticks_per_second() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u64::try_from(ticks).ok())
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_count() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(read(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(read("7 (a) S 1", 100), None);
    }

    #[test]
    fn this_process_has_used_some() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(cpu_time(own).is_some() && cpu_time(-1).is_none());
    }
}
