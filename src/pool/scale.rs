//! More workers, or fewer: up at once, down by draining.

use super::{
    ScaleError, ScaleTo,
    allocation::least_seats,
    journal::{About, EventKind},
    tables::Seat,
    task::Pool,
};
use crate::config::DEFAULT_POOL;

const MOST: u32 = 4096;

impl Pool {
    /// Gives a pool another size; an empty name means the default pool, or the
    /// only one.
    pub(super) fn scale(&mut self, pool: &str, change: ScaleTo) -> Result<(u32, u32), ScaleError> {
        if self.drain.is_some() {
            return Err(ScaleError::Draining);
        }
        let group = self.find_group(pool)?;
        let before = self.groups[group].seats.len() as u32;
        let wanted = match change {
            ScaleTo::Workers(n) => n,
            ScaleTo::By(n) => before.saturating_add_signed(n),
        };
        let name = self.groups[group].config.name.clone();
        if wanted > MOST {
            return Err(ScaleError::TooMany { pool: name, most: MOST });
        }
        let least = least_seats(&self.shares(group));
        if wanted < before && wanted < least {
            return Err(ScaleError::BelowNeed { pool: name, least });
        }
        if wanted != before {
            let message = format!("pool `{name}` goes from {before} to {wanted} workers");
            let about = About { pool: Some(&name), ..About::default() };
            self.journal.note(EventKind::Scaled, about, message);
            self.resize(group, wanted as usize, "its pool is scaled down");
        }
        Ok((before, wanted))
    }

    fn find_group(&self, pool: &str) -> Result<usize, ScaleError> {
        let alive = || self.groups.iter().enumerate().filter(|(_, group)| !group.removed);
        let named = |name: &str| {
            alive().find(|(_, group)| group.config.name == name).map(|(index, _)| index)
        };
        let found = match pool {
            "" => named(DEFAULT_POOL)
                .or_else(|| (alive().count() == 1).then(|| alive().next()).flatten().map(|g| g.0)),
            name => named(name),
        };
        let name = if pool.is_empty() { DEFAULT_POOL } else { pool };
        found.ok_or_else(|| ScaleError::NoSuchPool(name.to_owned()))
    }

    /// Gives a pool so many seats. Seats leave from the end; an app that loses
    /// its place there is loaded in another seat first come, first served.
    pub(super) fn resize(&mut self, group: usize, seats: usize, why: &str) {
        let mut leaving = Vec::new();
        let row = &mut self.groups[group];
        while row.seats.len() > seats {
            let Some(seat) = row.seats.pop() else { break };
            leaving.extend(seat.occupant.into_iter().chain(seat.successor));
        }
        row.seats.resize_with(seats, Seat::default);
        self.allocate_group(group);
        self.load_missing(group);
        self.fill_seats(group);
        for worker in leaving {
            self.send_away(worker, why);
        }
        let apps: Vec<_> = self.shares(group).into_iter().map(|(app, _)| app).collect();
        for app in apps {
            self.settle(app);
        }
        self.publish_health();
        self.skip_lost_seat();
    }
}
