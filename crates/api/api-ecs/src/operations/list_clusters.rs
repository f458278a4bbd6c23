//! ListClusters.

use crate::arns::cluster_arn;
use crate::errors::Failure;
use crate::paging;
use crate::shapes::{ListClustersRequest, ListClustersResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Cluster, ClusterStatus};
use store::{Page, Tables};

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListClustersRequest,
) -> Result<ListClustersResponse, ServiceError> {
    let page = paging::request(input.next_token.as_deref(), input.max_results, "clusters")?;
    let prefix = format!("{}/", context.account);
    let mut arns = Vec::new();
    let mut after = page.after.clone();
    loop {
        let limit = page.limit;
        let listing = tables.list::<Cluster>(&prefix, Page { after, limit }).await.map_err(Failure::from)?;
        for cluster in listing.items.iter().filter(|cluster| cluster.status == ClusterStatus::Active) {
            if arns.len() == page.limit {
                let last = last_key(&context.account, arns.last());
                return Ok(ListClustersResponse {
                    cluster_arns: Some(arns),
                    next_token: Some(page.token(&last)),
                });
            }
            arns.push(cluster_arn(context, &cluster.name));
        }
        after = listing.next;
        if after.is_none() {
            return Ok(ListClustersResponse { cluster_arns: Some(arns), next_token: None });
        }
        if arns.len() == page.limit {
            let last = listing.items.last().map(|cluster| cluster.key()).unwrap_or_default();
            return Ok(ListClustersResponse {
                cluster_arns: Some(arns),
                next_token: Some(page.token(&last)),
            });
        }
    }
}

fn last_key(account: &identifiers::AccountId, arn: Option<&String>) -> String {
    let name = arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    format!("{account}/{name}")
}
