//! DescribeParameters: everything but the values.

use crate::errors::invalid;
use crate::filters::Filters;
use crate::shapes::{DescribeParametersRequest, DescribeParametersResult};
use crate::{SsmService, paging, render};
use aws_wire::{RequestContext, ServiceError};

/// Parameters of a page when the request does not say.
const USUAL: usize = 10;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DescribeParametersRequest,
) -> Result<DescribeParametersResult, ServiceError> {
    let older = input.filters.filter(|filters| !filters.is_empty());
    let newer = input.parameter_filters.filter(|filters| !filters.is_empty());
    let filters = match (older, newer) {
        (Some(_), Some(_)) => {
            return Err(invalid("You can use either Filters or ParameterFilters in a single request."));
        }
        (Some(older), None) => Filters::older(older),
        (None, newer) => Filters::describe(newer.unwrap_or_default())?,
    };
    let mut parameters = service.all(context).await?;
    if input.shared == Some(true) {
        // Nothing is shared between accounts.
        parameters.clear();
    }
    parameters.retain(|parameter| filters.let_through(parameter));
    let (page, next_token) = paging::cut(parameters, input.next_token.as_deref(), input.max_results, USUAL)?;
    let shown = page.iter().map(|parameter| render::metadata(parameter)).collect();
    Ok(DescribeParametersResult { parameters: Some(shown), next_token })
}
