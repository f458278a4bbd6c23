//! Serves the ECS agent protocol to container agents
