//! The ECS container agent of Longshore's own hosts.
//!
//! It speaks the published agent protocol and nothing else: RegisterContainerInstance and DiscoverPollEndpoint, then a
//! websocket for commands (ACS) and one for telemetry (TCS), and state reports as API calls. So the unmodified Amazon
//! ECS agent can take its place, and this agent can serve any server of that protocol.
//!
//! A payload is on disk before it is acknowledged. Each task has one runner, which feeds events to a pure function
//! (`task::advance`) and carries out what it answers through an [`Engine`]. Restarting the agent, or killing it, stops
//! no container: the next start adopts the sandboxes, learns what ended meanwhile, and sends the output that is missing.
//!
//! [`ContainerEngine`] runs containers on this machine; [`SimulatedEngine`] runs nothing and needs no root.

mod acs;
mod agent;
mod api;
mod backoff;
mod config;
mod container_engine;
mod disk;
mod disk_pressure;
mod endpoint;
mod engine;
mod exec;
mod logs;
mod roles;
mod socket;
mod supervisor;
mod task;
mod tcs;

pub use agent::Agent;
pub use config::{AgentConfig, AgentError, Credentials};
pub use container_engine::ContainerEngine;
pub use container_image::BasicAuth;
pub use engine::stats;
pub use engine::{
    AttachPlan, Attached, AttachedControl, ContainerPlan, DiskRoom, Engine, EngineError, Exit, Found,
    LogPosition, LogRead, LogRecord, LogSource, MountOrigin, MountPlan, Probe, ProbeEnd, PulledImage,
    SandboxEvent, SandboxPlan, SimulatedEngine, SimulatedFault, TmpfsPlan, UlimitPlan, Usage, VolumeKind,
    VolumePlan,
};
