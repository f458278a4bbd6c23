//! The logs API
