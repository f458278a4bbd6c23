//! GetParameterHistory.

use crate::errors::store;
use crate::shapes::{GetParameterHistoryRequest, GetParameterHistoryResult};
use crate::{SsmService, names, paging, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::ParameterVersion;

/// Versions of a page when the request does not say.
const USUAL: usize = 50;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: GetParameterHistoryRequest,
) -> Result<GetParameterHistoryResult, ServiceError> {
    let asked = names::asked(context, &input.name)?;
    let parameter = service.require(context, asked.name).await?;
    let prefix = ParameterVersion::keys_of(&parameter.account, &parameter.id);
    let versions = service.tables.list_all::<ParameterVersion>(&prefix).await.map_err(store)?;
    let (page, next_token) = paging::cut(versions, input.next_token.as_deref(), input.max_results, USUAL)?;
    let decrypt = input.with_decryption == Some(true);
    let mut shown = Vec::with_capacity(page.len());
    for version in &page {
        let value = service.shown(&parameter, version, decrypt)?;
        shown.push(render::history(&parameter, version, value));
    }
    Ok(GetParameterHistoryResult { parameters: Some(shown), next_token })
}
