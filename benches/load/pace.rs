//! What a paced stream's reader sees while other streams of the same connection
//! flood, or are not read at all.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use dirtyd_client::{Stream, Value};
use serde_json::{Value as Json, json};
use tokio::task::LocalSet;

use crate::{
    measure::percentile,
    target::{Ask, Caller, Target},
};

/// The streams beside the paced one.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// Read as fast as they come.
    pub flooding: usize,
    /// Opened, read once and then left alone.
    pub unread: usize,
}

/// Reads a stream whose chunks say when they were made, in nanoseconds since
/// 1970, to its end. Gives the gaps between its chunks, and how long they took.
pub async fn read(target: &Target, ask: Ask, beside: Beside) -> anyhow::Result<Json> {
    let all = target.callers(1 + beside.flooding + beside.unread, 1, ask.clone()).await?;
    let mut callers = all.into_iter();
    let paced = callers.next().context("there is a caller")?;
    let flood = Ask { action: "flood".to_owned(), args: Vec::new(), ..ask };
    let mut unread = Vec::with_capacity(beside.unread);
    for caller in callers.by_ref().take(beside.unread) {
        let mut stream = open(caller, Some(&flood)).await?;
        stream.next().await.context("the stream ended")??;
        unread.push(stream);
    }
    let flooded = Rc::new(Cell::new(0_u32));
    let (local, mut floods) = (LocalSet::new(), Vec::with_capacity(beside.flooding));
    for caller in callers {
        let (flood, flooded) = (flood.clone(), Rc::clone(&flooded));
        floods.push(local.spawn_local(async move {
            let mut stream = open(caller, Some(&flood)).await?;
            while let Some(chunk) = stream.next().await {
                chunk?;
                flooded.set(flooded.get() + 1);
            }
            anyhow::Ok(())
        }));
    }
    let (mut gaps, mut transits, start) = (Vec::new(), Vec::new(), Instant::now());
    let reading = async {
        let (mut stream, mut last) = (open(paced, None).await?, None);
        while let Some(chunk) = stream.next().await {
            let (now, made) = (Instant::now(), chunk?.as_int().context("a time")?);
            let made = SystemTime::UNIX_EPOCH + Duration::from_nanos(made.try_into()?);
            transits.push(made.elapsed().unwrap_or_default());
            gaps.extend(last.replace(now).map(|last| now.duration_since(last)));
        }
        anyhow::Ok(())
    };
    local.run_until(reading).await?;
    anyhow::ensure!(floods.iter().all(|flood| !flood.is_finished()), "a flood ended early");
    Ok(json!({
        "chunks": transits.len(),
        "gap_p50_us": percentile(&mut gaps.clone(), 50),
        "gap_p99_us": percentile(&mut gaps, 99),
        "transit_p50_us": percentile(&mut transits.clone(), 50),
        "transit_p99_us": percentile(&mut transits, 99),
        "flooded_per_second": f64::from(flooded.get()) / start.elapsed().as_secs_f64(),
    }))
}

/// Opens what the caller asks for, or something else.
async fn open(caller: Caller, other: Option<&Ask>) -> anyhow::Result<Stream> {
    let Caller::Dirtyd { client, ask } = caller else {
        anyhow::bail!("only dirtyd's streams are paced");
    };
    let Ask { app, action, args } = other.unwrap_or(&ask);
    let args: Vec<Value> = args.clone();
    Ok(client.stream(app, action, args).await?)
}
