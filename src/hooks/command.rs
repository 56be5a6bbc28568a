//! The hooks of the configuration: commands that get the facts as JSON on stdin
//! and as `DIRTYD_HOOK_*` in the environment.

use std::{collections::BTreeMap, time::Instant};

use serde_json::json;

use super::{ArbiterFacts, Hooks, WorkerFacts};
use crate::{config, process::children::Exit, process::run_bounded};

/// Runs the commands of the configuration.
#[derive(Debug)]
pub struct CommandHooks(config::Hooks);

impl CommandHooks {
    /// The hooks of a configuration; `None` if it has none.
    pub fn of(config: &config::Hooks) -> Option<Self> {
        let commands =
            [&config.on_dirty_starting, &config.dirty_post_fork, &config.dirty_worker_exit];
        commands.iter().any(|command| !command.is_empty()).then(|| Self(config.clone()))
    }

    fn run(
        &self,
        name: &'static str,
        command: &[String],
        arbiter: &ArbiterFacts,
        worker: Option<&WorkerFacts>,
    ) {
        if command.is_empty() {
            return;
        }
        let facts = json!({ "hook": name, "arbiter": arbiter, "worker": worker }).to_string();
        let started = Instant::now();
        match run_bounded(
            command,
            &self.environment(name, arbiter, worker),
            facts.as_bytes(),
            self.0.timeout,
        ) {
            Ok((Some(Exit::Code(0)), _)) => {
                tracing::debug!("hook {name} finished after {:.1?}", started.elapsed());
            }
            Ok((Some(exit), stderr)) => {
                tracing::warn!(
                    "hook {name} (`{}`) {exit}; nothing else is affected{}",
                    command[0],
                    said(&stderr)
                );
            }
            Ok((None, stderr)) => tracing::warn!(
                "hook {name} (`{}`) did not finish within {:?} and was killed; nothing else is affected{}",
                command[0],
                self.0.timeout,
                said(&stderr)
            ),
            Err(error) => tracing::warn!("hook {name}: {error}; nothing else is affected"),
        }
    }

    fn environment<'a>(
        &'a self,
        name: &'static str,
        arbiter: &ArbiterFacts,
        worker: Option<&WorkerFacts>,
    ) -> BTreeMap<&'a str, String> {
        let own = self.0.env.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let mut env: BTreeMap<_, _> = own.collect();
        env.extend([
            ("DIRTYD_HOOK_NAME", name.to_owned()),
            ("DIRTYD_HOOK_ARBITER_PID", arbiter.pid.to_string()),
            ("DIRTYD_HOOK_PROC_NAME", arbiter.proc_name.clone()),
            ("DIRTYD_HOOK_SOCKET", arbiter.socket.display().to_string()),
        ]);
        if let Some(worker) = worker {
            env.extend([
                ("DIRTYD_HOOK_WORKER_ID", worker.id.to_string()),
                ("DIRTYD_HOOK_WORKER_PID", worker.pid.to_string()),
                ("DIRTYD_HOOK_POOL", worker.pool.clone()),
                ("DIRTYD_HOOK_MESSAGE", worker.message.clone()),
            ]);
        }
        env
    }
}

impl Hooks for CommandHooks {
    fn on_dirty_starting(&mut self, arbiter: &ArbiterFacts) {
        self.run("on_dirty_starting", &self.0.on_dirty_starting, arbiter, None);
    }

    fn dirty_post_fork(&mut self, arbiter: &ArbiterFacts, worker: &WorkerFacts) {
        self.run("dirty_post_fork", &self.0.dirty_post_fork, arbiter, Some(worker));
    }

    fn dirty_worker_exit(&mut self, arbiter: &ArbiterFacts, worker: &WorkerFacts) {
        self.run("dirty_worker_exit", &self.0.dirty_worker_exit, arbiter, Some(worker));
    }
}

/// What a hook wrote, as the rest of a message about it.
fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it wrote:\n{stderr}") }
}
