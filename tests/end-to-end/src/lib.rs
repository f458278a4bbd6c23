//! Whole-region tests with real clients
