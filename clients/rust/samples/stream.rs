//! Chunks as they come.

use dirtyd::client::{Client, Error, args};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();
    let mut numbers = client.stream("conformance:Conformance", "count", args![5, 0.1]).await?;
    while let Some(number) = numbers.next().await {
        println!("{:?}", number?);
    }
    Ok(())
}
