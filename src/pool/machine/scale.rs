//! More workers, or fewer: up at once, down by draining.

use super::{
    Machine, ScaleError, ScaleTo,
    fleet::{Seat, least_seats},
    ids::PoolId,
    turn::{Note, Turn},
};
use crate::{config::DEFAULT_POOL, pool::machine::EntryKind, printable::count};

/// The most workers that a pool may have.
const MOST: u32 = 4096;

impl Machine {
    /// Gives a pool another size; an empty name means the default pool, or the
    /// only one. Returns the sizes before and after.
    pub(super) fn scale(
        &mut self,
        pool: &str,
        change: ScaleTo,
        turn: &mut Turn<'_>,
    ) -> Result<(u32, u32), ScaleError> {
        self.phase.may_scale()?;
        let id = self.find_pool(pool)?;
        let row = self.fleet.pool(id);
        let (name, before) = (row.config.name.clone(), row.seats.len() as u32);
        let wanted = match change {
            ScaleTo::Workers(n) => n,
            ScaleTo::By(n) => before.saturating_add_signed(n),
        };
        if wanted > MOST {
            return Err(ScaleError::TooMany { pool: name, most: MOST });
        }
        let least = least_seats(&self.fleet.shares(id));
        if wanted < before && wanted < least {
            return Err(ScaleError::BelowNeed { pool: name, least });
        }
        if wanted != before {
            let message =
                format!("scaling pool `{name}` from {before} to {}", count(wanted, "worker"));
            turn.note(Note::event(EntryKind::Scaled, message).pool(&name));
            self.resize(id, wanted as usize, "its pool was scaled down", turn);
        }
        Ok((before, wanted))
    }

    fn find_pool(&self, pool: &str) -> Result<PoolId, ScaleError> {
        let name = if pool.is_empty() { DEFAULT_POOL } else { pool };
        let only = || match self.fleet.pool_ids()[..] {
            [only] if pool.is_empty() => Some(only),
            _ => None,
        };
        let found = self.fleet.pool_named(name).or_else(only);
        found.ok_or_else(|| {
            let known = self.fleet.pool_ids().into_iter();
            let known = known.map(|pool| self.fleet.pool(pool).config.name.clone()).collect();
            ScaleError::NoSuchPool { pool: name.to_owned(), known }
        })
    }

    /// Gives a pool a number of seats. Seats leave from the end; an app that
    /// loses its place there is loaded in another seat first come, first served.
    pub(super) fn resize(&mut self, id: PoolId, seats: usize, why: &str, turn: &mut Turn<'_>) {
        let Some(pool) = self.fleet.pool_mut(id) else { return };
        let mut leaving = Vec::new();
        while pool.seats.len() > seats {
            let Some(seat) = pool.seats.pop() else { break };
            leaving.extend(seat.occupant().into_iter().chain(seat.successor));
        }
        pool.seats.resize_with(seats, Seat::default);
        self.fleet.allocate(id);
        self.load_missing(id, turn);
        self.fill_seats(id, turn);
        for worker in leaving {
            self.send_away(worker, why, turn);
        }
        self.skip_lost_seats(turn);
    }
}
