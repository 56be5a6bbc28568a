//! Dropping a stream closes its generator; a deadline cancels a coroutine.
//!
//! Run the daemon beside it, in `samples`: `dirtyd serve --config dirtyd.toml`

use std::time::Duration;

use dirtyd_client::{Client, Error, Reason, args};

const APP: &str = "apps:Endless";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();

    let mut endless = client.stream(APP, "count", args![]).await?;
    while let Some(number) = endless.next().await.transpose()? {
        println!("number {}", i64::try_from(number.clone())?);
        if number == 2.into() {
            break;
        }
    }
    drop(endless);
    // The one worker is free for this call once the generator has ended.
    println!("ended {}", how_many_ended(&client).await?);

    let impatient = client.clone().with_timeout(Duration::from_millis(300));
    match impatient.execute(APP, "ponder", args![]).await {
        Err(error) if error.reason() == Some(&Reason::ExecutionTimeout) => println!("gave up"),
        outcome => println!("expected a timeout, got {outcome:?}"),
    }
    println!("ended {}", how_many_ended(&client).await?);
    Ok(())
}

async fn how_many_ended(client: &Client) -> Result<i64, Error> {
    Ok(client.execute(APP, "how_many_ended", args![]).await?.try_into()?)
}
