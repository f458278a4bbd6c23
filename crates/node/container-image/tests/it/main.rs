//! Pulls, pushes and collections against a registry in this process. They need root, as unpacking sets owners.

mod collect;
mod faults;
mod local;
mod parts;
mod pull;
mod registry;
mod sharing;
