//! The embedded store backend
