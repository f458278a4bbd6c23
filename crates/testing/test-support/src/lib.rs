//! Starts a region for a test
