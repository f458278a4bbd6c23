//! EventBridge: buses, rules with their targets, connections, and what is on its way to a target.

mod bus;
mod connection;
mod delivery;
mod follower;
mod rule;

pub use bus::{DEFAULT_BUS, EventBus};
pub use connection::{ApiDestination, Authorization, Connection, ConnectionParameter, ParameterPlace};
pub use delivery::{Delivery, Sender};
pub use follower::{AnnouncedService, Position};
pub use rule::{
    EcsParameters, HttpParameters, Input, RetryPolicy, Rule, RuleClock, StrategyItem, Target, TaskNetwork,
};
