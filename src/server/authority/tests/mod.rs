//! The repair, seen from both ends: what a client's bytes become, and what a real h2 server makes
//! of them.

mod captures;
mod client;
mod end_to_end;
mod folding;
mod garbage;
mod holding;
mod huffman;
mod server;
mod splits;
mod value;
