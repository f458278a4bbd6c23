//! Why a document is not a policy, in AWS's words.

use crate::policy::{MAX_CHARACTERS, MAX_STATEMENTS};

/// A document that AWS answers with `MalformedPolicyDocument`; it displays AWS's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    /// Not JSON, or not the shape of a policy.
    #[error("Syntax errors in policy.")]
    Syntax,
    /// A document longer than any kind of policy may be.
    #[error("Policy document must not be longer than {MAX_CHARACTERS} characters.")]
    TooLong,
    /// More statements than fit any kind of policy.
    #[error("Policy document must not have more than {MAX_STATEMENTS} statements.")]
    TooManyStatements,
    /// Policies of users, groups and roles need the current version of the language.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    Version,
    /// An effect in the wrong case, a date that is none, a resource that is almost an ARN.
    #[error("The policy failed legacy parsing")]
    LegacyParsing,
    /// Two statements with one id.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    RepeatedSid,
    /// A statement without `Action` and `NotAction`.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// A statement without `Resource` and `NotResource`.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// A resource without any colon.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    NotAnArn(String),
    /// A resource of a partition that does not exist.
    #[error("Partition \"{partition}\" is not valid for resource \"{resource}\".")]
    Partition {
        /// What stands in the partition's place.
        partition: String,
        /// The resource as an ARN, missing parts filled with `*`.
        resource: String,
    },
    /// A resource that does not name a service, or only by a wildcard.
    #[error("Resource vendor must be fully qualified and cannot contain regexes.")]
    ResourceVendor,
    /// A region in an ARN of IAM.
    #[error("IAM resource {0} cannot contain region information.")]
    IamRegion(String),
    /// A region in the ARN of a bucket or object.
    #[error("Resource {0} can not contain region information.")]
    Region(String),
    /// A resource of IAM of no known type.
    #[error("IAM resource path must either be \"*\" or start with {0}.")]
    IamPath(String),
    /// An action without a service.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action with several colons.
    #[error("Actions/Condition can contain only one colon.")]
    Colons,
    /// An action whose service is not a name.
    #[error("Vendor {0} is not valid")]
    Vendor(String),
    /// A policy of a user, group or role that names a principal.
    #[error("Policy document should not specify a principal.")]
    PrincipalNotAllowed,
    /// An element that policies of this kind need.
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    /// An element that policies of this kind do not have.
    #[error("Has prohibited field {0}.")]
    ProhibitedField(&'static str),
    /// A trust policy that allows something else than to assume the role. (AWS's sentence has the two spaces.)
    #[error(
        "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and \
         sts:AssumeRoleWithWebIdentity"
    )]
    TrustAction,
    /// A principal of the wrong form, or one that does not exist, which the IAM API finds.
    #[error("Invalid principal in policy: \"{kind}\":\"{value}\"")]
    InvalidPrincipal {
        /// `AWS`, `SERVICE`, ...
        kind: &'static str,
        /// The principal as written.
        value: String,
    },
    /// A `Principal` that names nobody.
    #[error(
        "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a \
         statement with no principals!"
    )]
    NoPrincipals,
    /// A federated principal that is neither a host nor the ARN of a provider.
    #[error("Federated principals must be valid domain names or SAML metadata ARNs")]
    FederatedPrincipal,
    /// A condition operator that does not exist, in the policy of a resource.
    #[error("Invalid Condition type : {0}.")]
    ConditionType(String),
}
