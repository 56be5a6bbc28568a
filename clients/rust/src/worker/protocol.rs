//! What this worker speaks, and what it has agreed on with its arbiter.

use std::ops::RangeInclusive;

use crate::proto::worker::{Hello, Welcome};

/// The versions of the worker protocol that this runtime speaks.
const VERSIONS: RangeInclusive<u32> = 1..=2;
/// From this version on a Request names its app, its action and the kind of its payload.
const NAMES_IN_FRAME: u32 = 2;
/// The capability to read and write payloads of JSON.
const JSON: &str = "json";
/// The capability to send Metrics.
const METRICS: &str = "metrics";
/// The capability to answer GetStacks.
const STACKS: &str = "stacks";
/// What this runtime can do beyond its versions, by name.
const CAPABILITIES: [&str; 3] = [JSON, METRICS, STACKS];

/// What both sides speak from Welcome on.
#[derive(Debug)]
pub struct Agreement {
    version: u32,
    /// Holds no name that this runtime does not know.
    capabilities: Vec<&'static str>,
}

impl Agreement {
    /// The agreement until Welcome says more: what every arbiter speaks.
    pub fn lowest() -> Self {
        Self { version: *VERSIONS.start(), capabilities: Vec::new() }
    }

    /// What a Welcome settles.
    ///
    /// # Errors
    /// Its version is none of this runtime's; the text says so to a person.
    pub fn of(welcome: &Welcome) -> Result<Self, String> {
        let version = welcome.protocol_version;
        if !VERSIONS.contains(&version) {
            let (lowest, latest) = VERSIONS.into_inner();
            return Err(format!(
                "it chose version {version} of the worker protocol, this worker speaks {lowest} to \
                 {latest}; install the same version of dirtyd for both"
            ));
        }
        let agreed = |name: &&str| welcome.capabilities.iter().any(|theirs| theirs == name);
        Ok(Self { version, capabilities: CAPABILITIES.into_iter().filter(agreed).collect() })
    }

    /// Whether a Request names its app, its action and the kind of its payload.
    pub fn names_in_frame(&self) -> bool {
        self.version >= NAMES_IN_FRAME
    }

    /// Whether a payload may be JSON.
    pub fn has_json(&self) -> bool {
        self.capabilities.contains(&JSON)
    }

    /// Whether the arbiter takes Metrics.
    pub fn has_metrics(&self) -> bool {
        self.capabilities.contains(&METRICS)
    }

    /// Whether the arbiter may ask for stacks.
    pub fn has_stacks(&self) -> bool {
        self.capabilities.contains(&STACKS)
    }
}

/// The Hello of a worker. Rust has no signal that prints the stacks of all threads.
pub fn hello() -> Hello {
    Hello {
        protocol_version: *VERSIONS.start(),
        latest_protocol_version: *VERSIONS.end(),
        runtime: concat!("rust dirtyd ", env!("CARGO_PKG_VERSION")).to_owned(),
        stack_dump_signal: 0,
        pid: 0,
        capabilities: CAPABILITIES.map(str::to_owned).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(protocol_version: u32) -> Welcome {
        let capabilities = vec!["from the future".to_owned()];
        Welcome { protocol_version, capabilities, ..Welcome::default() }
    }

    #[test]
    fn each_version_of_the_range_is_agreed_on_and_no_other() {
        for version in VERSIONS {
            let agreed = Agreement::of(&welcome(version)).expect("a version of the range");
            assert_eq!(agreed.names_in_frame(), version > 1);
        }
        for version in [VERSIONS.start() - 1, VERSIONS.end() + 1] {
            let why = Agreement::of(&welcome(version)).expect_err("a version out of the range");
            assert!(why.contains(&format!("version {version} ")), "{why}");
        }
    }

    #[test]
    fn a_capability_that_this_runtime_does_not_know_is_not_agreed_on() {
        let agreed = Agreement::of(&welcome(2)).expect("a version of the range");
        assert!(agreed.capabilities.is_empty());
    }

    #[test]
    fn a_capability_is_agreed_on_if_welcome_has_it() {
        type Asked = fn(&Agreement) -> bool;
        let asked: [Asked; 3] =
            [Agreement::has_json, Agreement::has_metrics, Agreement::has_stacks];
        assert_eq!(hello().capabilities, CAPABILITIES);
        for (name, has) in CAPABILITIES.into_iter().zip(asked) {
            assert!(!has(&Agreement::of(&welcome(2)).expect("a version of the range")));
            let capabilities = vec!["from the future".to_owned(), name.to_owned()];
            let welcome = Welcome { capabilities, ..welcome(2) };
            let agreed = Agreement::of(&welcome).expect("a version of the range");
            assert_eq!(asked.map(|has| has(&agreed)).iter().filter(|has| **has).count(), 1);
            assert!(has(&agreed));
        }
    }
}
