//! The whole pipeline over real connections: what is right, what is wrong in every way, and what is slow.

mod audit;
mod calls;
mod connections;
mod models;
mod probe;
mod region;
mod signatures;
