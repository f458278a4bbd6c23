//! The ecr API
