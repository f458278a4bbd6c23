//! Network load balancers: connections and flows.

pub(crate) mod copy;
mod proxy_protocol;
pub(crate) mod tcp;
pub(crate) mod udp;
