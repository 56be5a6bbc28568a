//! The console: what operators see with a browser. [`page`] has what the browser loads,
//! [`feed`] keeps it up to date, [`operate`] reads what it asks for.

pub mod feed;
pub mod operate;
pub mod page;
