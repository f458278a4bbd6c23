//! Pulls against a registry in this process.
