//! The sts API.

pub mod shapes;
