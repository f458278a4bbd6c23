//! Names and ARNs of this service's resources, printed and parsed.

use crate::errors::{Failure, client, cluster_not_found, invalid};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecs::{Cluster, ClusterStatus, DefinitionStatus, TaskDefinition, TaskFamily};
use store::{Tables, Versioned};

/// The cluster that requests mean when they name none.
const DEFAULT_CLUSTER: &str = "default";

pub(crate) fn arn(context: &RequestContext, resource: impl Into<String>) -> String {
    Arn::new("ecs", &context.region, &context.account, resource).to_string()
}

pub(crate) fn cluster_arn(context: &RequestContext, name: &str) -> String {
    arn(context, format!("cluster/{name}"))
}

pub(crate) fn task_arn(context: &RequestContext, cluster: &str, id: &str) -> String {
    arn(context, format!("task/{cluster}/{id}"))
}

pub(crate) fn definition_arn(context: &RequestContext, family: &str, revision: u32) -> String {
    arn(context, format!("task-definition/{family}:{revision}"))
}

/// The name in a cluster's short name or ARN.
pub(crate) fn cluster_name(context: &RequestContext, given: Option<&str>) -> Result<String, ServiceError> {
    let given = given.filter(|given| !given.is_empty()).unwrap_or(DEFAULT_CLUSTER);
    if !given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    match own_resource(context, given, "cluster") {
        Some(name) => Ok(name),
        None => Err(invalid(format!(
            "Invalid identifier: Identifier is for {given}. Your accountId or region differ, or it is no cluster."
        ))),
    }
}

/// The part after `type/` of an ARN of this service, account and region.
pub(crate) fn own_resource(context: &RequestContext, given: &str, kind: &str) -> Option<String> {
    let arn: Arn = given.parse().ok()?;
    let own = arn.service == "ecs"
        && arn.region == context.region.as_str()
        && arn.account == context.account.as_str();
    let (found, rest) = arn.resource.split_once('/')?;
    (own && found == kind && !rest.is_empty()).then(|| rest.to_owned())
}

/// A cluster that is there, active or not.
pub(crate) async fn find_cluster(
    tables: &Tables,
    context: &RequestContext,
    given: Option<&str>,
) -> Result<Option<Versioned<Cluster>>, Failure> {
    let name = cluster_name(context, given)?;
    Ok(tables.get::<Cluster>(&format!("{}/{name}", context.account)).await?)
}

/// An active cluster.
pub(crate) async fn require_cluster(
    tables: &Tables,
    context: &RequestContext,
    given: Option<&str>,
) -> Result<Versioned<Cluster>, Failure> {
    let found = find_cluster(tables, context, given).await?;
    Ok(found.filter(|cluster| cluster.status == ClusterStatus::Active).ok_or_else(cluster_not_found)?)
}

/// The task id in a short id or ARN.
pub(crate) fn task_id(context: &RequestContext, given: &str) -> Result<String, ServiceError> {
    let id = if given.starts_with("arn:") {
        own_resource(context, given, "task")
            .and_then(|rest| rest.rsplit('/').next().map(str::to_owned))
            .ok_or_else(|| invalid(format!("Invalid identifier: Identifier is for {given}.")))?
    } else {
        given.to_owned()
    };
    if id.len() <= 64 && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        Ok(id)
    } else {
        Err(invalid("taskId length should be one of [32,36]"))
    }
}

/// What a reference to a task definition names.
pub(crate) struct DefinitionName {
    pub(crate) family: String,
    /// `None` means the newest active revision.
    pub(crate) revision: Option<u32>,
}

/// Reads `family`, `family:revision` or an ARN.
pub(crate) fn definition_name(context: &RequestContext, given: &str) -> Result<DefinitionName, ServiceError> {
    let name = if given.starts_with("arn:") {
        own_resource(context, given, "task-definition").ok_or_else(|| {
            client(format!(
                "Invalid identifier: {given} is not a task definition of this account and region."
            ))
        })?
    } else {
        given.to_owned()
    };
    let (family, revision) = match name.split_once(':') {
        None => (name.as_str(), None),
        Some((family, revision)) => {
            let number = revision.parse::<u32>().ok().filter(|number| *number > 0);
            (
                family,
                Some(number.ok_or_else(|| client(format!("Invalid revision number. Number: {revision}")))?),
            )
        }
    };
    if family.is_empty() || !family.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(client("Invalid task definition name."));
    }
    Ok(DefinitionName { family: family.to_owned(), revision })
}

/// The task definition that a reference names.
pub(crate) async fn find_definition(
    tables: &Tables,
    context: &RequestContext,
    given: &str,
) -> Result<Option<Versioned<TaskDefinition>>, Failure> {
    let name = definition_name(context, given)?;
    if let Some(revision) = name.revision {
        return Ok(tables.get(&TaskDefinition::key_of(&context.account, &name.family, revision)).await?);
    }
    let key = format!("{}/{}", context.account, name.family);
    let Some(family) = tables.get::<TaskFamily>(&key).await? else { return Ok(None) };
    // The newest is nearly always active, so going down from it finds the answer at once.
    for revision in (1..=family.last_revision).rev() {
        let key = TaskDefinition::key_of(&context.account, &name.family, revision);
        let found = tables.get::<TaskDefinition>(&key).await?;
        if let Some(found) = found.filter(|found| found.status == DefinitionStatus::Active) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
