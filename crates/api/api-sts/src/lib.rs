//! The sts API
