//! The ECS container agent of Longshore's own hosts
