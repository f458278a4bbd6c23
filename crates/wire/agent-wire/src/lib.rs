//! The published ECS agent protocol: ACS and TCS messages
