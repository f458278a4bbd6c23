//! The ecs API.

pub mod shapes;
