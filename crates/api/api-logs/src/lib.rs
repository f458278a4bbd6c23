//! The logs API.

pub mod shapes;
