//! Quotas of an account, as on AWS.

/// Application load balancers, and network load balancers.
pub(crate) const LOAD_BALANCERS: usize = 50;
/// Target groups.
pub(crate) const TARGET_GROUPS: usize = 3_000;
/// Targets of one group.
pub(crate) const TARGETS: usize = 1_000;
/// Listeners of one load balancer.
pub(crate) const LISTENERS: usize = 50;
/// Rules of one load balancer beside the default ones.
pub(crate) const RULES: usize = 100;

/// Names and values, as DescribeAccountLimits shows them.
pub(crate) const SHOWN: [(&str, usize); 10] = [
    ("target-groups", TARGET_GROUPS),
    ("application-load-balancers", LOAD_BALANCERS),
    ("listeners-per-application-load-balancer", LISTENERS),
    ("rules-per-application-load-balancer", RULES),
    ("network-load-balancers", LOAD_BALANCERS),
    ("listeners-per-network-load-balancer", LISTENERS),
    ("targets-per-application-load-balancer", TARGETS),
    ("targets-per-network-load-balancer", TARGETS),
    ("certificates-per-application-load-balancer", crate::certificates::MOST),
    ("certificates-per-network-load-balancer", crate::certificates::MOST),
];
