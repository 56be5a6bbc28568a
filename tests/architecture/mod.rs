//! The rules of ARCHITECTURE.md that a compiler does not hold: who knows whom,
//! and what may stand where. They are held by the paths that the code names, read
//! with the compiler's own grammar.
//!
//! Whoever moves a room changes the lists in [`rules`].

mod circles;
mod floors;
mod graph;
pub mod house;
mod modules;
mod paths;
mod rules;
mod sizes;
mod words;
