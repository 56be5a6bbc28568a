//! What is written for a key, and where.

use std::ops::{Deref, DerefMut};

use super::place::Place;

/// The value of a key, if one is written. Two slots are equal if their values are.
#[derive(Debug, Clone)]
pub struct Slot<T> {
    /// The value.
    pub value: Option<T>,
    /// Where it is written; nowhere if it was made from other values.
    pub place: Place,
    /// Where another value is written, which this one beats.
    pub beaten: Place,
}

impl<T> Slot<T> {
    /// A value that is written at `place`.
    pub fn at(place: Place, value: T) -> Self {
        Self { value: Some(value), place, beaten: Place::Nowhere }
    }

    /// The same with another value, if there is one.
    #[must_use]
    pub fn map_value<U>(self, map: impl FnOnce(T) -> U) -> Slot<U> {
        Slot { value: self.value.map(map), place: self.place, beaten: self.beaten }
    }

    /// Where the value comes from, for who knows the file; `None` if it was made from
    /// other values.
    pub fn source(&self) -> Option<String> {
        match (&self.place, &self.beaten) {
            (Place::Nowhere, _) => None,
            (place, beaten) if place.is_outside() && *beaten != Place::Nowhere => {
                Some(format!("{}, which beats {}", place.in_file(), beaten.in_file()))
            }
            (place, _) => Some(place.in_file()),
        }
    }
}

impl<T: Clone> Slot<T> {
    /// This slot, or `over` if that has a value.
    #[must_use]
    pub fn overlaid_with(&self, over: &Self) -> Self {
        match (&over.value, &self.value) {
            (None, _) => self.clone(),
            (Some(_), None) => over.clone(),
            (Some(_), Some(_)) => Self { beaten: self.place.clone(), ..over.clone() },
        }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: None, place: Place::Nowhere, beaten: Place::Nowhere }
    }
}

impl<T: PartialEq> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Slot<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

impl<T> DerefMut for Slot<T> {
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.value
    }
}
