//! The parts of ARNs that are keys.

/// Type of a load balancer in its ARN.
pub const LOAD_BALANCER: &str = "loadbalancer";
/// Type of a listener in its ARN.
pub const LISTENER: &str = "listener";
/// Type of a rule in its ARN.
pub const LISTENER_RULE: &str = "listener-rule";
/// Type of a target group in its ARN.
pub const TARGET_GROUP: &str = "targetgroup";

/// Account and what comes after the type, of an ARN of Elastic Load Balancing with this type.
pub fn account_and_rest<'a>(arn: &'a str, kind: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let (found, rest) = resource.split_once('/')?;
    let is_one = scheme == "arn" && service == "elasticloadbalancing" && found == kind;
    let rest: Vec<&str> = rest.split('/').collect();
    (is_one && rest.iter().all(|part| !part.is_empty())).then_some((account, rest))
}

#[cfg(test)]
mod tests {
    use crate::elb::{Listener, LoadBalancer, Rule, TargetGroup};

    #[test]
    fn keys_are_found_in_arns() {
        let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:{rest}");
        assert_eq!(
            LoadBalancer::key_in(&arn("loadbalancer/app/web/0123456789abcdef")).as_deref(),
            Some("123456789012/web")
        );
        assert_eq!(
            Listener::key_in(&arn("listener/app/web/0123456789abcdef/1")).as_deref(),
            Some("123456789012/web/1")
        );
        assert_eq!(
            Rule::key_in(&arn("listener-rule/app/web/0123456789abcdef/1/2")).as_deref(),
            Some("123456789012/web/1/2")
        );
        assert_eq!(
            TargetGroup::key_in(&arn("targetgroup/web/0123456789abcdef")).as_deref(),
            Some("123456789012/web")
        );
        for wrong in ["listener/app/web/0/1/2", "targetgroup/web", "listener/app//0/1", "web", ""] {
            assert_eq!(Listener::key_in(&arn(wrong)), None, "{wrong}");
        }
        assert_eq!(TargetGroup::key_in("arn:aws:ecs:us-east-1:123456789012:targetgroup/web/1"), None);
        assert_eq!(TargetGroup::key_in("web"), None);
    }
}
