//! Runs a check with the kept inputs of a target, then with new ones.
//!
//! ```text
//! kept inputs ─> random and mutated inputs ─fails─> shrunk ─> corpus/TARGET/found-HASH
//! ```
//!
//! An input that ends the process (a stack overflow, a lack of memory) or that hangs cannot be
//! shrunk. So each input is written to `target/tmp/fuzz-TARGET` before it is checked; move that file
//! to the corpus.

use std::{
    cell::Cell,
    env, fs, panic,
    path::{Path, PathBuf},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestError, TestRunner},
};

use crate::mutation::{Mutation, mutation};

/// The number of new inputs in a run without `DIRTYD_FUZZ_SECONDS`.
const SHORT: u32 = 2000;
/// The number of new inputs between two looks at the clock.
const BATCH: u32 = 200;
/// The longest input in bytes.
const LONGEST: usize = 4000;

/// Something that reads bytes from outside.
pub struct Target {
    /// The folder of its kept inputs.
    pub name: &'static str,
    /// Parts of its language, which mutations insert.
    pub words: &'static [&'static [u8]],
    /// Panics if the input is treated wrongly.
    pub check: fn(&[u8]),
}

impl Target {
    /// Checks the kept inputs, then new ones: `SHORT` of them, or for as many seconds as the
    /// environment variable `DIRTYD_FUZZ_SECONDS` says.
    pub fn run(&self) {
        let kept = self.replay();
        let until = env::var("DIRTYD_FUZZ_SECONDS").ok().map(|seconds| {
            let seconds = seconds.parse().expect("DIRTYD_FUZZ_SECONDS is a number of seconds");
            Instant::now() + Duration::from_secs(seconds)
        });
        let mut new = 0;
        while until.map_or(new < SHORT, |until| Instant::now() < until) {
            self.explore(&kept);
            new += BATCH;
        }
        println!("{}: {} kept inputs and {new} new ones", self.name, kept.len());
    }

    fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(self.name)
    }

    /// Checks each kept input and returns them all.
    fn replay(&self) -> Vec<Vec<u8>> {
        let folder = self.corpus();
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("corpus").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} keeps no input", folder.display());
        let check = |path: &PathBuf| {
            let input = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let _named = Named(path);
            (self.check)(&input);
            input
        };
        paths.iter().map(check).collect()
    }

    /// Checks new inputs. Panics with the path of the one that failed, which is kept.
    fn explore(&self, kept: &[Vec<u8>]) {
        let last = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", self.name));
        let config = Config { cases: BATCH, failure_persistence: None, ..Config::default() };
        let result = quietly(|| {
            TestRunner::new(config).run(&self.inputs(kept), |input| {
                // A full disk is not the fault of the input.
                let _ = fs::write(&last, &input);
                (self.check)(&input);
                Ok(())
            })
        });
        match result {
            Ok(()) => drop(fs::remove_file(&last)),
            Err(TestError::Fail(reason, input)) => {
                let path = self.corpus().join(format!("found-{:08x}", hash(&input)));
                fs::write(&path, &input).expect("the corpus takes the input");
                panic!("{}\n{reason}\nThe input is kept as {}", self.name, path.display());
            }
            Err(TestError::Abort(reason)) => panic!("{}: {reason}", self.name),
        }
    }

    fn inputs(&self, kept: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
        let mutated = (select(kept.to_vec()), vec(mutation(self.words, kept), 1..8));
        let mutated = mutated.prop_map(|(mut input, mutations): (_, Vec<Mutation>)| {
            mutations.iter().for_each(|mutation| mutation.apply(&mut input));
            input.truncate(LONGEST);
            input
        });
        prop_oneof![1 => vec(any::<u8>(), 0..256), 9 => mutated]
    }
}

/// Names the kept input whose check panics.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("The kept input {} failed.", self.0.display());
        }
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls `run`, during which a panic of this thread prints nothing: each step of the shrinking is
/// one, and proptest returns the message of the last.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

/// FNV-1a: names an input the same on every machine.
pub fn hash(input: &[u8]) -> u32 {
    input.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
