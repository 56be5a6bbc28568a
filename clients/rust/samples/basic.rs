//! A call with arguments, and what its failure tells.

use dirtyd::client::{Args, Client, Error, args};

const APP: &str = "conformance:Conformance";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();

    let text = client.execute(APP, "repeat", args!["ab", 3]).await?;
    println!("{}", text.as_str().unwrap_or_default());

    let args = Args::from(args![1, "two"]).kwarg("three", vec![3.0, 3.5]);
    println!("{:?}", client.execute(APP, "arguments", args).await?);

    match client.execute(APP, "fail", args!["on purpose"]).await {
        Err(Error::Call(failure)) => {
            println!("{:?} {}", failure.reason, failure.remote_type.unwrap_or_default());
            println!("{}", failure.remote_traceback.unwrap_or_default());
        }
        other => println!("expected a failure, got {other:?}"),
    }
    Ok(())
}
