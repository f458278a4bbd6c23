//! The ecr API.

pub mod shapes;
