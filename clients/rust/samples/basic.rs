//! Calls with arguments, and what the failure of one tells.
//!
//! Run the daemon beside it, in `samples`: `dirtyd serve --config dirtyd.toml`

use dirtyd_client::{Client, Error, Reason, args};

const APP: &str = "apps:Counter";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();

    let total = i64::try_from(client.execute(APP, "add", args![3]).await?)?;
    println!("total {total}");
    let twice = args![2].kwarg("times", 2);
    let total = i64::try_from(client.execute(APP, "add", twice).await?)?;
    println!("total {total}");

    match client.execute(APP, "add", args![-1]).await {
        Err(Error::Call(failure)) if failure.reason == Reason::AppError => {
            println!("refused: {} {:?}", failure.message, failure.code);
            println!("{}", failure.remote_traceback.unwrap_or_default());
            Ok(())
        }
        outcome => outcome.map(|total| println!("expected a failure, got {total:?}")),
    }
}
