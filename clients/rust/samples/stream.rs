//! Chunks as they come.
//!
//! Run the daemon beside it, in `samples`: `dirtyd serve --config dirtyd.toml`

use dirtyd_client::{Client, Error, args};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();
    let mut words = client.stream("apps:Writer", "words", args!["to be or not to be"]).await?;
    while let Some(word) = words.next().await {
        println!("{}", word?.as_str().unwrap_or_default());
    }
    Ok(())
}
