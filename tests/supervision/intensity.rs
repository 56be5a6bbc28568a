//! Restart intensity: an app whose workers die too often is given up for a
//! while and reported, the rest goes on, and then it is tried again.

use std::time::Duration;

use dirtyd_client::{Reason, args};
use nix::sys::signal::Signal;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    family::{Family, LIFE},
    support::{app, example, failure, signal},
};

const FRAGILE: &str = "Mandelbrot";

async fn health(family: &Family, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(family.channel()).check(request).await.expect("it is known");
    answer.into_inner().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_app_whose_workers_keep_dying_is_reported_and_tried_again() {
    let family = Family::with(&format!(
        "[[app]]\npath = \"life:Life\"\n[[pool]]\nname = \"fragile\"\ncommand = [{:?}]\nmax_restarts = 1\nrestart_window = \"8s\"\napp = [{{ path = \"{FRAGILE}\" }}]\n",
        example("rust-worker")
    ))
    .await;
    let mut died = 0;
    for _ in 0..2 {
        let alive = |status: &dirtyd_client::proto::v1::StatusResponse| {
            app(status, FRAGILE).ready_workers == 1
        };
        let status = family
            .until("another one is ready", |status| {
                alive(status) && status.workers.iter().all(|worker| worker.pid != died)
            })
            .await;
        died = status.workers.iter().find(|worker| worker.pool == "fragile").expect("ready").pid;
        signal(died, Signal::SIGKILL);
    }
    let gone =
        |status: &dirtyd_client::proto::v1::StatusResponse| app(status, FRAGILE).ready_workers == 0;
    let status =
        family.until("no other is started", |status| gone(status) && status.workers.len() == 1);
    let said = app(&status.await, FRAGILE).last_error.clone();
    for word in ["more than 1 workers", "`fragile`", "max_restarts", "8s"] {
        assert!(said.contains(word), "{word} in {said:?}");
    }
    let client = family.connect().with_timeout(Duration::from_secs(5));
    let refused = client.execute(FRAGILE, "render", args![2, 1]).await;
    let refused = failure(refused, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains(&said), "{}", refused.message);
    assert_eq!(health(&family, FRAGILE).await, ServingStatus::NotServing);
    family.logged("app `Mandelbrot` has no worker left").await;

    family.call("pid").await.expect("the rest goes on");
    assert_eq!(health(&family, LIFE).await, ServingStatus::Serving);

    let back = family.until("it is tried again", |status| app(status, FRAGILE).ready_workers == 1);
    assert_eq!(app(&back.await, FRAGILE).last_error, "");
    assert_eq!(health(&family, FRAGILE).await, ServingStatus::Serving);
    client.execute(FRAGILE, "render", args![2, 1]).await.expect("served");
}
