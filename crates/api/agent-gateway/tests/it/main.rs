//! The gateway, the ECS API and the agent together over loopback, on a simulated machine.

mod life;
mod region;
mod restart;
mod roles;
