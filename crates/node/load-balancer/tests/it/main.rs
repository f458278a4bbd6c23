//! The process of the load balancers with real sockets, targets and clients.

mod application;
mod configuring;
mod health;
mod network;
mod odd_requests;
mod protocols;
mod proxy;
mod support;
mod upgrade;
