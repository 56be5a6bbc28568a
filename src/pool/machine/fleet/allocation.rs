//! Which seat of a pool loads which apps. Pure.

use super::super::ids::AppId;

/// In how many seats an app is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// In all of them.
    All,
    /// In this number of seats, or in all if there are fewer.
    Seats(u32),
    /// Not known before the app's class was imported; until then in the seat
    /// that is going to import it, the first.
    Unknown,
}

impl Share {
    fn of(self, seats: usize) -> usize {
        match self {
            Self::All => seats,
            Self::Seats(n) => (n as usize).min(seats),
            Self::Unknown => 1.min(seats),
        }
    }
}

/// Extends and trims `seats`, the apps of every seat, so that each app has its
/// share. What is there stays where it is as far as it can, because moving an
/// app means loading it again; new places go to the seats with the fewest apps.
pub fn allocate(seats: &mut [Vec<AppId>], shares: &[(AppId, Share)]) {
    for seat in seats.iter_mut() {
        seat.retain(|app| shares.iter().any(|(known, _)| known == app));
    }
    for &(app, share) in shares {
        let wanted = share.of(seats.len());
        let mut holders: Vec<usize> =
            (0..seats.len()).filter(|seat| seats[*seat].contains(&app)).collect();
        while holders.len() > wanted {
            let last = holders.pop().expect("more than wanted");
            seats[last].retain(|held| *held != app);
        }
        let mut others: Vec<usize> =
            (0..seats.len()).filter(|seat| !holders.contains(seat)).collect();
        if share != Share::Unknown {
            others.sort_by_key(|seat| (seats[*seat].len(), *seat));
        }
        for seat in others.into_iter().take(wanted - holders.len()) {
            seats[seat].push(app);
        }
    }
}

/// The fewest seats with which every app has its share.
pub fn least_seats(shares: &[(AppId, Share)]) -> u32 {
    let need = |share: &Share| match share {
        Share::All | Share::Unknown => 1,
        Share::Seats(n) => *n,
    };
    shares.iter().map(|(_, share)| need(share)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holders(seats: &[Vec<AppId>], app: AppId) -> usize {
        seats.iter().filter(|seat| seat.contains(&app)).count()
    }

    #[test]
    fn the_picture_of_the_design() {
        let (ml, thumbs) = (AppId(0), AppId(1));
        let mut seats = vec![Vec::new(); 3];
        allocate(&mut seats, &[(ml, Share::Seats(2)), (thumbs, Share::All)]);
        assert_eq!(seats, [vec![ml, thumbs], vec![ml, thumbs], vec![thumbs]]);
    }

    #[test]
    fn limited_apps_spread_over_the_seats() {
        let shares: Vec<_> = (0..4).map(|app| (AppId(app), Share::Seats(1))).collect();
        let mut seats = vec![Vec::new(); 4];
        allocate(&mut seats, &shares);
        assert!(seats.iter().all(|seat| seat.len() == 1));
    }

    fn share() -> impl Strategy<Value = Share> {
        prop_oneof![Just(Share::All), (1..6u32).prop_map(Share::Seats)]
    }

    proptest! {
        #[test]
        fn every_app_has_its_share_whatever_comes_and_goes(
            shares in proptest::collection::vec(share(), 1..6),
            sizes in proptest::collection::vec(0..8usize, 1..10),
        ) {
            let shares: Vec<_> =
                shares.into_iter().enumerate().map(|(i, s)| (AppId(i), s)).collect();
            let mut seats: Vec<Vec<AppId>> = Vec::new();
            for size in sizes {
                let before = seats.clone();
                seats.resize(size, Vec::new());
                allocate(&mut seats, &shares);
                for (app, share) in &shares {
                    prop_assert_eq!(holders(&seats, *app), share.of(size));
                }
                // Nothing that still has a seat was moved.
                for (old, new) in before.iter().zip(&seats) {
                    prop_assert!(old.iter().all(|app| new.contains(app)));
                }
            }
        }
    }
}
