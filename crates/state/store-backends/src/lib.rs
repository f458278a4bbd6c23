//! Durable backends of the store. Only the program and tests name this crate.

pub mod embedded;
