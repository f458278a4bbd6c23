//! Errors of EC2. The model has none, so these are those of EC2's list of error codes.

use aws_wire::{ErrorShape, Fault, ServiceError};
use std::borrow::Cow;
use store::StoreError;

const fn code(name: &'static str) -> ErrorShape {
    ErrorShape { name, query_code: None, status: 400, fault: Fault::Sender, message_key: "message" }
}

pub(crate) static CANNOT_DELETE: ErrorShape = code("CannotDelete");
pub(crate) static DEFAULT_VPC_EXISTS: ErrorShape = code("DefaultVpcAlreadyExists");
pub(crate) static DEPENDENCY_VIOLATION: ErrorShape = code("DependencyViolation");
pub(crate) static DRY_RUN: ErrorShape = ErrorShape { status: 412, ..code("DryRunOperation") };
pub(crate) static GROUP_DUPLICATE: ErrorShape = code("InvalidGroup.Duplicate");
pub(crate) static GROUP_RESERVED: ErrorShape = code("InvalidGroup.Reserved");
pub(crate) static IDEMPOTENT_MISMATCH: ErrorShape = code("IdempotentParameterMismatch");
pub(crate) static ADDRESS_IN_USE: ErrorShape = code("InvalidIPAddress.InUse");
pub(crate) static NO_FREE_ADDRESS: ErrorShape = code("InsufficientFreeAddressesInSubnet");
pub(crate) static COMBINATION: ErrorShape = code("InvalidParameterCombination");
pub(crate) static VALUE: ErrorShape = code("InvalidParameterValue");
pub(crate) static MISSING: ErrorShape = code("MissingParameter");
pub(crate) static PERMISSION_DUPLICATE: ErrorShape = code("InvalidPermission.Duplicate");
pub(crate) static PERMISSION_NOT_FOUND: ErrorShape = code("InvalidPermission.NotFound");
pub(crate) static SUBNET_CONFLICT: ErrorShape = code("InvalidSubnet.Conflict");
pub(crate) static SUBNET_RANGE: ErrorShape = code("InvalidSubnet.Range");
pub(crate) static VPC_RANGE: ErrorShape = code("InvalidVpcRange");
pub(crate) static RULES_EXCEEDED: ErrorShape = code("RulesPerSecurityGroupLimitExceeded");
pub(crate) static GROUPS_EXCEEDED: ErrorShape = code("SecurityGroupsPerInterfaceLimitExceeded");
pub(crate) static TAGS_EXCEEDED: ErrorShape = code("TagLimitExceeded");
pub(crate) static UNSUPPORTED: ErrorShape = code("UnsupportedOperation");
pub(crate) static NO_DEFAULT_VPC: ErrorShape = code("VPCIdNotSpecified");
pub(crate) static GROUP_NOT_FOUND: ErrorShape = code("InvalidGroup.NotFound");
pub(crate) static GROUP_MALFORMED: ErrorShape = code("InvalidGroupId.Malformed");
pub(crate) static RULE_NOT_FOUND: ErrorShape = code("InvalidSecurityGroupRuleId.NotFound");
pub(crate) static RULE_MALFORMED: ErrorShape = code("InvalidSecurityGroupRuleId.Malformed");
pub(crate) static VPC_NOT_FOUND: ErrorShape = code("InvalidVpcID.NotFound");
pub(crate) static VPC_MALFORMED: ErrorShape = code("InvalidVpcID.Malformed");
pub(crate) static SUBNET_NOT_FOUND: ErrorShape = code("InvalidSubnetID.NotFound");
pub(crate) static SUBNET_MALFORMED: ErrorShape = code("InvalidSubnetID.Malformed");
pub(crate) static INTERFACE_NOT_FOUND: ErrorShape = code("InvalidNetworkInterfaceID.NotFound");
pub(crate) static INTERFACE_MALFORMED: ErrorShape = code("InvalidNetworkInterfaceId.Malformed");
pub(crate) static GATEWAY_NOT_FOUND: ErrorShape = code("InvalidInternetGatewayID.NotFound");
pub(crate) static GATEWAY_MALFORMED: ErrorShape = code("InvalidInternetGatewayId.Malformed");
pub(crate) static TABLE_NOT_FOUND: ErrorShape = code("InvalidRouteTableID.NotFound");
pub(crate) static TABLE_MALFORMED: ErrorShape = code("InvalidRouteTableId.Malformed");
pub(crate) static ID: ErrorShape = code("InvalidID");
static INTERNAL: ErrorShape = ErrorShape { status: 500, fault: Fault::Receiver, ..code("InternalError") };
static BUSY: ErrorShape = ErrorShape { status: 503, ..code("RequestLimitExceeded") };

/// An error with a text.
pub(crate) fn error(shape: &'static ErrorShape, message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(shape, message)
}

/// A parameter has a value that it cannot have.
pub(crate) fn value(message: impl Into<Cow<'static, str>>) -> ServiceError {
    error(&VALUE, message)
}

/// A parameter is missing.
pub(crate) fn missing(parameter: &str) -> ServiceError {
    error(&MISSING, format!("The request must contain the parameter {parameter}"))
}

/// What EC2 has and this region has not, in EC2's words for it.
pub(crate) fn unsupported(what: &str) -> ServiceError {
    error(
        &UNSUPPORTED,
        format!(
            "The functionality you requested is not available in this region: {what}. See docs/guides/networking.md."
        ),
    )
}

/// Refuses what is asked for and not there.
pub(crate) fn refuse(given: bool, what: &str) -> Result<(), ServiceError> {
    if given { Err(unsupported(what)) } else { Ok(()) }
}

/// Ends an allowed request that is a rehearsal.
pub(crate) fn dry_run(asked: Option<bool>) -> Result<(), ServiceError> {
    if asked == Some(true) {
        return Err(error(&DRY_RUN, "Request would have succeeded, but DryRun flag is set."));
    }
    Ok(())
}

/// The store failed, or others write the same all the time; the caller learns nothing of it but that it may try again.
pub(crate) fn store(failure: StoreError) -> ServiceError {
    if failure.is_conflict() {
        return error(&BUSY, "The resource is being changed at the same time. Please try again.");
    }
    tracing::error!(error = %failure, "the store failed");
    error(&INTERNAL, "An internal error has occurred")
}
