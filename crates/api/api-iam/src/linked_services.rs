//! The services that have a service-linked role: how the role is called and which policy of AWS it carries.

/// A service with a service-linked role.
#[derive(Debug)]
pub(crate) struct LinkedService {
    /// The service, as trust policies name it.
    pub(crate) principal: &'static str,
    /// What follows `AWSServiceRoleFor`.
    name: &'static str,
    /// Its policy, below `aws-service-role/`; empty for a service whose policy is not published.
    policy: &'static str,
    /// Whether there may be several, told apart by a suffix.
    pub(crate) takes_suffix: bool,
}

const fn one(principal: &'static str, name: &'static str, policy: &'static str) -> LinkedService {
    LinkedService { principal, name, policy, takes_suffix: false }
}

const fn several(principal: &'static str, name: &'static str, policy: &'static str) -> LinkedService {
    LinkedService { principal, name, policy, takes_suffix: true }
}

/// Sorted by nothing; there are few.
static SERVICES: &[LinkedService] = &[
    one("ecs.amazonaws.com", "ECS", "AmazonECSServiceRolePolicy"),
    one("ecs-compute.amazonaws.com", "ECSCompute", "AmazonECSComputeServiceRolePolicy"),
    one("eks.amazonaws.com", "AmazonEKS", "AmazonEKSServiceRolePolicy"),
    one("eks-nodegroup.amazonaws.com", "AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    one("eks-fargate.amazonaws.com", "AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
    one("eks-connector.amazonaws.com", "AmazonEKSConnector", "AmazonEKSConnectorServiceRolePolicy"),
    one(
        "elasticloadbalancing.amazonaws.com",
        "ElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
    ),
    several("autoscaling.amazonaws.com", "AutoScaling", "AutoScalingServiceRolePolicy"),
    one("spot.amazonaws.com", "EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    one("spotfleet.amazonaws.com", "EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    one("ec2fleet.amazonaws.com", "EC2Fleet", "AWSEC2FleetServiceRolePolicy"),
    one("elasticbeanstalk.amazonaws.com", "ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy"),
    one("replication.ecr.amazonaws.com", "ECRReplication", "ECRReplicationServiceRolePolicy"),
    one(
        "pullthroughcache.ecr.amazonaws.com",
        "ECRPullThroughCache",
        "AWSECRPullThroughCache_ServiceRolePolicy",
    ),
    one("ecr.amazonaws.com", "ECRTemplate", "ECRTemplateServiceRolePolicy"),
    one("cloudtrail.amazonaws.com", "CloudTrail", "CloudTrailServiceRolePolicy"),
    one("events.amazonaws.com", "CloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    one("ssm.amazonaws.com", "AmazonSSM", "AmazonSSMServiceRolePolicy"),
    one("organizations.amazonaws.com", "Organizations", "AWSOrganizationsServiceTrustPolicy"),
    one("rds.amazonaws.com", "RDS", "AmazonRDSServiceRolePolicy"),
    one("elasticache.amazonaws.com", "ElastiCache", "ElastiCacheServiceRolePolicy"),
    one("vpc-lattice.amazonaws.com", "VpcLattice", "AWSVpcLatticeServiceRolePolicy"),
    one("transitgateway.amazonaws.com", "VPCTransitGateway", "AWSVPCTransitGatewayServiceRolePolicy"),
    one(
        "ecs.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_ECSService",
        "AWSApplicationAutoscalingECSServicePolicy",
    ),
    one(
        "ec2.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_EC2SpotFleetRequest",
        "AWSApplicationAutoscalingEC2SpotFleetRequestPolicy",
    ),
    one(
        "custom-resource.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_CustomResource",
        "AWSApplicationAutoScalingCustomResourcePolicy",
    ),
    one(
        "dynamodb.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_DynamoDBTable",
        "AWSApplicationAutoscalingDynamoDBTablePolicy",
    ),
];

/// The service with this principal.
pub(crate) fn find(principal: &str) -> Option<&'static LinkedService> {
    SERVICES.iter().find(|service| service.principal == principal)
}

impl LinkedService {
    /// The name of its role.
    pub(crate) fn role_name(&self, suffix: Option<&str>) -> String {
        match suffix {
            Some(suffix) => format!("AWSServiceRoleFor{}_{suffix}", self.name),
            None => format!("AWSServiceRoleFor{}", self.name),
        }
    }

    /// The ARN of the policy its role carries.
    pub(crate) fn policy_arn(&self) -> Option<String> {
        let arn = format!("{}/aws-service-role/{}", aws_managed_policies::ARN_PREFIX, self.policy);
        aws_managed_policies::find(&arn).map(|_| arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_policy() {
        let missing: Vec<_> = SERVICES
            .iter()
            .filter(|service| service.policy_arn().is_none())
            .map(|service| service.policy)
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn roles_are_named_as_on_aws() {
        let named = |principal, suffix| find(principal).map(|service| service.role_name(suffix));
        assert_eq!(named("ecs.amazonaws.com", None).as_deref(), Some("AWSServiceRoleForECS"));
        assert_eq!(
            named("autoscaling.amazonaws.com", Some("suf")).as_deref(),
            Some("AWSServiceRoleForAutoScaling_suf")
        );
    }
}
