//! Which known name an unknown one was meant to be.

/// How like a known name an unknown one must be to be taken for it, from 0 to 1.
const ALIKE: f64 = 0.8;

/// The known name that is most like `name`, if any is like it.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |known: &str| strsim::jaro_winkler(known, name);
    (known.into_iter())
        .filter(|known| alike(known) >= ALIKE)
        .max_by(|one, other| alike(one).total_cmp(&alike(other)))
}
