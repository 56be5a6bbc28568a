//! What came of it.

use std::time::Duration;

use crate::{
    Scale,
    attacks::{ATTACKS, Attack, Cost},
    good::Good,
    siege::HELD,
};

/// Where the table stands in a page.
const BEGIN: &str = "<!-- hostile: begin; `make test-hostile` writes it -->";
const END: &str = "<!-- hostile: end -->";
/// What the arbiter may take beside what it holds for callers, in MiB.
const OWN: u64 = 64;
/// 99 of 100 calls of the good client end within this.
const LIMIT: Duration = Duration::from_millis(100);

/// What came of an attack.
#[derive(Debug)]
pub struct Row {
    /// The attack.
    pub attack: &'static Attack,
    /// What the good client saw.
    pub good: Good,
    /// How many of its calls may fail.
    pub may_fail: usize,
    /// The arbiter's resident memory in MiB.
    pub before: u64,
    /// At its peak.
    pub peak: u64,
    /// After the attack.
    pub after: u64,
}

impl Row {
    /// The line of the table.
    pub fn line(&self) -> String {
        let Self { attack, good, before, peak, after, .. } = self;
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        format!(
            "| {} | {} | {} | {} | {} | {} | {before} | {peak} | {after} |",
            attack.what,
            good.waited.len(),
            good.failed.len(),
            ms(good.percentile(50)),
            ms(good.percentile(99)),
            ms(good.worst())
        )
    }

    /// What should not have been.
    pub fn faults(&self, scale: Scale) -> Vec<String> {
        let Self { attack, good, may_fail, peak, .. } = self;
        if !nix::unistd::geteuid().is_root() {
            return Vec::new();
        }
        let mut faults = Vec::new();
        if let Some(first) = good.failed.first().filter(|_| good.failed.len() > *may_fail) {
            faults.push(format!("{} calls of the good client failed: {first}", good.failed.len()));
        }
        if good.waited.is_empty() {
            faults.push("no call of the good client was served".to_owned());
        }
        if *peak > OWN + HELD {
            faults.push(format!("the arbiter took {peak} MiB"));
        }
        let judged = scale.judges_times && attack.cost == Cost::None;
        if judged && good.percentile(99) > LIMIT {
            faults.push(format!("99 of 100 calls took up to {:?}", good.percentile(99)));
        }
        faults.into_iter().map(|fault| format!("{}: {fault}", attack.name)).collect()
    }
}

/// The table of a page.
pub fn table(rows: &[Row]) -> String {
    with_head(&rows.iter().map(Row::line).collect::<Vec<_>>())
}

fn with_head(lines: &[String]) -> String {
    format!(
        "| attack | calls | failed | p50, ms | p99, ms | worst, ms | MiB before | peak | after |\n\
         |---|---|---|---|---|---|---|---|---|\n{}\n",
        lines.join("\n")
    )
}

/// The page with these rows in its table; what it says of other attacks stays.
pub fn put(page: &str, rows: &[Row]) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark of the begin");
    let (old, after) = rest.split_once(END).expect("the page has the mark of the end");
    let lines = ATTACKS.iter().filter_map(|attack| {
        let new = rows.iter().find(|row| row.attack.name == attack.name).map(Row::line);
        let begin = format!("| {} |", attack.what);
        new.or_else(|| old.lines().find(|line| line.starts_with(&begin)).map(str::to_owned))
    });
    let table = with_head(&lines.collect::<Vec<_>>());
    format!("{before}{BEGIN}\n\n{table}\n{END}{after}")
}
