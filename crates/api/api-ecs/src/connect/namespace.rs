//! Namespaces that requests name, and the default ones of clusters.

use crate::errors::{Failure, invalid, update_in_progress};
use aws_wire::RequestContext;
use identifiers::Arn;
use resources::discovery::{
    Namespace, NamespaceKind, NamespaceName, Operation, OperationKind, Tags, TargetKind, random_id,
};
use store::{Tables, Versioned};

/// Attempts while others write the same name.
const MOST_ATTEMPTS: usize = 8;
/// Longest name of a namespace, as Cloud Map has it.
const MOST_NAME: usize = 1024;

/// The namespace with a name or an ARN.
pub(crate) async fn find_namespace(
    tables: &Tables,
    context: &RequestContext,
    given: &str,
) -> Result<Option<Versioned<Namespace>>, Failure> {
    let id = if given.starts_with("arn:") {
        let own = given.parse::<Arn>().ok().filter(|arn| {
            arn.service == "servicediscovery"
                && arn.region == context.region.as_str()
                && arn.account == context.account.as_str()
        });
        own.and_then(|arn| arn.resource.strip_prefix("namespace/").map(str::to_owned))
    } else {
        let key = NamespaceName::key_of(&context.account, given);
        tables.get::<NamespaceName>(&key).await?.map(|row| row.id.clone())
    };
    let Some(id) = id else { return Ok(None) };
    Ok(tables.get::<Namespace>(&Namespace::key_of(&context.account, &id)).await?)
}

/// The ARN of the namespace that a cluster is to have by default. One that is named and does not exist is made, for
/// DiscoverInstances alone, as ECS does. Without a name there is none any more.
pub(crate) async fn cluster_default(
    tables: &Tables,
    context: &RequestContext,
    given: &str,
) -> Result<Option<String>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    for _ in 0..MOST_ATTEMPTS {
        if let Some(found) = find_namespace(tables, context, given).await? {
            return Ok(Some(namespace_arn(context, &found.id)));
        }
        if given.starts_with("arn:") {
            return Err(invalid(format!("The specified namespace {given} was not found.")).into());
        }
        check_name(given)?;
        let random = tables.environment();
        let id = random_id(random, "ns");
        let targets = [(TargetKind::Namespace, id.as_str())];
        let operation =
            Operation::new(random, &context.account, OperationKind::CreateNamespace, &targets, context.time);
        let namespace = Namespace {
            account: context.account.clone(),
            id: id.clone(),
            name: given.to_owned(),
            kind: NamespaceKind::Http,
            description: None,
            creator_request_id: None,
            operation: operation.id.clone(),
            tags: Tags::from([("AmazonECSManaged".to_owned(), "true".to_owned())]),
            created_at: context.time,
        };
        let batch = tables.batch().create(&namespace).create(&namespace.name_row()).create(&operation);
        match batch.commit().await {
            Ok(_) => return Ok(Some(namespace_arn(context, &id))),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(update_in_progress().into())
}

pub(super) fn namespace_arn(context: &RequestContext, id: &str) -> String {
    Arn::new("servicediscovery", &context.region, &context.account, format!("namespace/{id}")).to_string()
}

/// What Cloud Map takes as the name of a namespace without DNS.
fn check_name(name: &str) -> Result<(), Failure> {
    if name.len() <= MOST_NAME && name.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Ok(());
    }
    Err(invalid(
        "Invalid parameter at 'serviceConnectDefaults.namespace': it has up to 1024 printable ASCII characters.",
    )
    .into())
}
