//! The ecs API
