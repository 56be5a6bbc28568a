//! A mixed deployment: one daemon with a Python, a Rust and a Node pool, each
//! scaled and reloaded on its own while all are called.
//!
//! The Node worker must be built, so `make test-workers` runs these tests, and a
//! plain `cargo test` only lists them.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other test binaries use the rest")]
mod support;

mod deployment;
mod load;

use deployment::{Deployment, POOLS};
use load::Load;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Node worker; `make test-workers` builds it and runs this"]
async fn every_pool_serves_calls_and_streams() {
    let deployment = Deployment::start().await;
    for pool in POOLS {
        load::call(&deployment.client(), pool).await.expect(pool);
        load::stream(&deployment.client(), pool).await.expect(pool);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Node worker; `make test-workers` builds it and runs this"]
async fn each_pool_is_scaled_on_its_own_and_no_call_fails() {
    let deployment = Deployment::start().await;
    let load = Load::start(&deployment);
    for pool in POOLS {
        let before = deployment.pids().await;
        let more = deployment.scale(pool, 3).await;
        load.serve(10).await;
        let fewer = deployment.scale(pool, 1).await;
        load.serve(10).await;
        for (name, pids) in &before {
            if name == pool {
                assert!(more[name].is_superset(pids), "{pool}: those that ran go on");
                assert!(fewer[name].is_subset(&more[name]), "{pool}: one of them is left");
            } else {
                assert_eq!((&more[name], &fewer[name]), (pids, pids), "{pool} alone is scaled");
            }
        }
    }
    load.stop_without_failures().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Node worker; `make test-workers` builds it and runs this"]
async fn each_pool_is_reloaded_on_its_own_and_no_call_fails() {
    let deployment = Deployment::start().await;
    let load = Load::start(&deployment);
    for pool in POOLS {
        load.serve(10).await;
        let before = deployment.pids().await;
        let after = deployment.reload(pool).await;
        load.serve(10).await;
        for (name, pids) in &before {
            if name == pool {
                assert!(after[name].is_disjoint(pids), "{pool}: {pids:?} are replaced");
            } else {
                assert_eq!(&after[name], pids, "{pool} alone is reloaded");
            }
        }
    }
    load.stop_without_failures().await;
}
