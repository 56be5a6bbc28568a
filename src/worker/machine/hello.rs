//! What the two sides agree on when a worker says Hello.

use dirtyd_client::proto::worker::{Hello, PayloadKind, Welcome};

use crate::{call::WorkerRef, worker::WorkerSpec};

/// The versions of the worker protocol that this arbiter speaks.
const LOWEST: u32 = 1;
const HIGHEST: u32 = 2;
/// The first version in which a Request names app, action and kind of payload.
const NAMES_IN_REQUEST: u32 = 2;
/// Reading and writing payloads of JSON.
const JSON: &str = "json";
/// Sending what the metrics of apps have gained.
pub const METRICS: &str = "metrics";
/// Saying what it does now.
pub const STACKS: &str = "stacks";
/// The capabilities that this arbiter knows.
const KNOWN: [&str; 3] = [JSON, METRICS, STACKS];
/// The most capabilities of a worker that are kept, and the longest name of one
/// in bytes: a worker is not trusted with the arbiter's memory.
const MOST_CAPABILITIES: usize = 64;
const LONGEST_NAME: usize = 64;

/// How a worker is made to print its stacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StackDump {
    /// The signal; 0 if there is none.
    pub signal: i32,
    /// The process that gets it, by the worker's word; 0 for the one that was started.
    pub pid: i32,
}

/// What both sides keep to from Hello on.
#[derive(Debug)]
pub struct Terms {
    /// The version of the protocol.
    version: u32,
    /// How the worker is made to print its stacks.
    pub stack_dump: StackDump,
    /// What the worker can do, by name; known here or not.
    capabilities: Vec<String>,
}

impl Terms {
    /// The terms with a worker that says this.
    ///
    /// # Errors
    /// The two speak no common version; the text says which each speaks.
    pub fn agree(hello: Hello) -> Result<Self, String> {
        let lowest = hello.protocol_version;
        let highest = match hello.latest_protocol_version {
            0 => lowest,
            latest => latest,
        };
        let version = highest.min(HIGHEST);
        if version < lowest.max(LOWEST) {
            let spoken = match lowest == highest {
                true => format!("version {lowest}"),
                false => format!("versions {lowest} to {highest}"),
            };
            return Err(format!(
                "it said hello with protocol {spoken}, and this arbiter speaks {LOWEST} to {HIGHEST}"
            ));
        }
        let stack_dump = StackDump { signal: hello.stack_dump_signal, pid: hello.pid };
        let short = |name: &String| name.len() <= LONGEST_NAME;
        let capabilities =
            hello.capabilities.into_iter().filter(short).take(MOST_CAPABILITIES).collect();
        Ok(Self { version, stack_dump, capabilities })
    }

    /// Whether a Request names app, action and kind of payload.
    pub fn names_in_request(&self) -> bool {
        self.version >= NAMES_IN_REQUEST
    }

    /// Whether the worker reads payloads of this kind.
    pub fn reads(&self, kind: PayloadKind) -> bool {
        match kind {
            PayloadKind::Json => self.names_in_request() && self.can(JSON),
            PayloadKind::ExecuteRequest | PayloadKind::Unspecified => true,
        }
    }

    /// Whether the worker can do something beyond its version.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|name| name == capability)
    }

    /// The answer to Hello.
    pub fn welcome(&self, spec: &WorkerSpec, worker: WorkerRef) -> Welcome {
        let pool = &spec.pool;
        Welcome {
            protocol_version: self.version,
            worker_id: worker.id,
            threads: pool.threads.get(),
            max_message_size: spec.max_message_size as u64,
            worker_init_hook: pool.worker_init.clone().unwrap_or_default(),
            pool: pool.name.clone(),
            busy_wait_micros: spec.busy_wait.as_micros() as u32,
            capabilities: KNOWN
                .iter()
                .filter(|name| self.can(name))
                .map(ToString::to_string)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(lowest: u32, latest: u32) -> Result<u32, String> {
        let hello =
            Hello { protocol_version: lowest, latest_protocol_version: latest, ..Hello::default() };
        Terms::agree(hello).map(|terms| terms.version)
    }

    #[test]
    fn the_highest_common_version_is_chosen() {
        assert_eq!(version(1, 0), Ok(1), "a worker that knows only version 1");
        assert_eq!(version(2, 0), Ok(2));
        assert_eq!(version(1, 2), Ok(2));
        assert_eq!(version(1, 7), Ok(2), "a worker that is newer than the arbiter");
    }

    #[test]
    fn without_a_common_version_the_text_names_both_ranges() {
        let why = version(99, 0).expect_err("from the future");
        assert!(why.contains("protocol version 99, and this arbiter speaks 1 to 2"), "{why}");
        let why = version(3, 5).expect_err("from the future");
        assert!(why.contains("protocol versions 3 to 5"), "{why}");
        assert!(version(2, 1).is_err(), "an empty range");
        assert!(version(0, 0).is_err(), "no version at all");
    }

    #[test]
    fn capabilities_are_kept_within_bounds() {
        let names = (0..1000).map(|number| format!("can{number}"));
        let capabilities = std::iter::once("x".repeat(LONGEST_NAME + 1)).chain(names).collect();
        let terms = Terms::agree(Hello { protocol_version: 1, capabilities, ..Hello::default() });
        let terms = terms.expect("version 1");
        assert!(terms.can("can0") && terms.can("can63"));
        assert!(!terms.can("can64") && !terms.can("unheard-of"));
    }
}
