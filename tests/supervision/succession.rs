//! Upgrades that meet each other, or a death: one main arbiter is in charge in the
//! end, callers are answered all the time, and nobody has to lend a hand.

use std::time::Duration;

use dirtyd_client::args;
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

use crate::{
    family::{Family, LIFE, MOMENTS, forked, is_alive, signal_if_there},
    load::Load,
    support::{LIMIT, eventually, process, signal},
};

/// After a death, callers are answered within this time.
const SOON: Duration = Duration::from_secs(10);

/// Upgrades, and kills at each of the moments whom `victims` names then.
async fn killed_at_every_moment(victims: fn(&Family, i32) -> Vec<i32>) {
    for moment in MOMENTS {
        let mut family = Family::start().await;
        let old = family.pid();
        let mut command = family.upgrade();
        assert!(forked(old), "no successor is started");
        std::thread::sleep(Duration::from_micros(moment));
        let killed = victims(&family, old);
        for pid in &killed {
            signal_if_there(*pid, Signal::SIGKILL);
        }
        // An old one that has nothing left to do is gone before it could notice, or before
        // it could be spared: then the new one was the only one that was killed.
        let took_the_only_one = || {
            let log = family.log();
            let had_left =
                log.contains("the main arbiter exits") && !log.contains("this one stays");
            had_left && !killed.is_empty() && !killed.contains(&old)
        };
        let served = async || match family.connect().execute(LIFE, "pid", args![]).await {
            Ok(_) => Some(true),
            Err(_) => took_the_only_one().then_some(false),
        };
        let served = eventually(SOON, &format!("a call is answered, {moment} µs"), served).await;
        process::wait(&mut command, LIMIT).expect("the command ends, too");
        if !served || took_the_only_one() {
            family.ended().await;
            family.extinct().await;
            continue;
        }
        // Whoever is in charge has the name, and can be upgraded.
        let upgraded = async || {
            let upgrade = family.run(&["upgrade", "--wait"]).await;
            (upgrade.code == Some(0)).then_some(())
        };
        eventually(LIMIT, "it can be upgraded", upgraded).await;
        family.ended().await;
        family.call("pid").await.expect("served");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_old_one_killed_at_any_moment_of_an_upgrade_leaves_the_new_one_serving() {
    killed_at_every_moment(|_, old| vec![old]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_new_one_killed_at_any_moment_of_an_upgrade_leaves_the_old_one_serving() {
    // Once the old one has ended, there is nobody else.
    killed_at_every_moment(|family, old| match is_alive(old) {
        true => family.successors(old),
        false => Vec::new(),
    })
    .await;
}

/// The new one is killed while the old one finishes a call: that one stays, and the
/// call is finished, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_one_that_dies_while_the_old_one_finishes_gives_the_charge_back() {
    let family = Family::start().await;
    let old = family.pid();
    let call = tokio::spawn({
        let client = family.connect();
        async move { client.execute(LIFE, "nap", args![1.5]).await }
    });
    family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
    let mut command = family.upgrade();
    family.logged("the new main arbiter serves; this one will finish its calls and exit").await;
    for new in family.successors(old) {
        signal(new, Signal::SIGKILL);
    }
    call.await.expect("no panic").expect("it is finished");
    family.connect().execute(LIFE, "pid", args![]).await.expect("served");
    assert!(!process::wait(&mut command, LIMIT).expect("it ends").success());
    assert!(is_alive(old));
    family.logged("this one stays").await;
    assert_eq!(family.named("dirtyd.pid").await, old);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_upgrades_at_once_and_more_terms_lose_no_call() {
    LocalSet::new()
        .run_until(async {
            let family = Family::start().await;
            let load = Load::start(&family, 2);
            load.serve(5).await;
            let old = family.pid();
            let long = tokio::spawn({
                let client = family.connect();
                async move { client.execute(LIFE, "nap", args![1]).await }
            });
            family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
            let mut commands = [family.upgrade(), family.upgrade()];
            family.logged("this one will finish its calls and exit").await;
            for _ in 0..2 {
                signal_if_there(old, Signal::SIGTERM);
            }
            long.await.expect("no panic").expect("it is finished");
            for command in &mut commands {
                assert!(process::wait(command, LIMIT).expect("it ends").success());
            }
            load.serve(5).await;
            load.stop_without_failures().await;
        })
        .await;
}

/// HUP storms, HUP and TERM while the new binary boots, and three upgrades.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_orderly_phase_in_a_row_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let family = Family::start().await;
            let load = Load::start(&family, 2);
            load.serve(5).await;
            for round in 0..3 {
                let main = family.named("dirtyd.pid").await;
                for _ in 0..20 {
                    signal(main, Signal::SIGHUP);
                }
                load.serve(3).await;
                let mut command = family.upgrade();
                signal(main, Signal::SIGHUP);
                let (code, new) =
                    (process::wait(&mut command, LIMIT), family.named("dirtyd.pid").await);
                assert!(code.expect("it ends").success(), "round {round}: {}", family.log());
                assert_ne!(new, main);
                load.serve(3).await;
            }
            load.stop_without_failures().await;
            // TERM during USR2 ends both, and every call that runs is finished.
            let main = family.named("dirtyd.pid").await;
            let call = tokio::spawn({
                let client = family.connect();
                async move { client.execute(LIFE, "nap", args![0.5]).await }
            });
            family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
            signal(main, Signal::SIGUSR2);
            signal(main, Signal::SIGTERM);
            call.await.expect("no panic").expect("it is finished");
            family.extinct().await;
        })
        .await;
}
