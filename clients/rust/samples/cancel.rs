//! Ending calls early: a deadline, and dropping a stream.

use std::{env, time::Duration};

use dirtyd::client::{Client, Error, Reason, args};

const APP: &str = "conformance:Conformance";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();

    let hasty = client.clone().with_timeout(Duration::from_millis(200));
    match hasty.execute(APP, "sleep", args![1.0]).await {
        Err(error) if error.reason() == Some(&Reason::ExecutionTimeout) => {
            println!("too slow: {error}")
        }
        other => println!("expected a timeout, got {other:?}"),
    }

    // The action writes to this file when its generator is closed.
    let mark = env::args().nth(1).unwrap_or_else(|| "/dev/null".to_owned());
    let mut endless = client.stream(APP, "watched", args![1_000_000, mark]).await?;
    for _ in 0..3 {
        println!("{:?}", endless.next().await);
    }
    drop(endless); // closes the generator in the worker
    let one_more = client.execute(APP, "echo", args!["the worker is free again"]).await?;
    println!("{}", one_more.as_str().unwrap_or_default());
    Ok(())
}
