//! GetParametersByPath.

use crate::SsmService;
use crate::filters::Filters;
use crate::names::{Selector, check_path, is_below};
use crate::shapes::{GetParametersByPathRequest, GetParametersByPathResult};
use crate::{paging, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::Parameter;

/// Parameters of a page when the request does not say.
const USUAL: usize = 10;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: GetParametersByPathRequest,
) -> Result<GetParametersByPathResult, ServiceError> {
    check_path(&input.path)?;
    let filters = Filters::by_path(input.parameter_filters.unwrap_or_default())?;
    let (recursive, decrypt) = (input.recursive == Some(true), input.with_decryption == Some(true));
    let labelled = |parameter: &Parameter| version_with_label(parameter, &filters.labels);
    let mut parameters = service.all(context).await?;
    parameters.retain(|parameter| {
        is_below(&input.path, &parameter.name, recursive)
            && filters.let_through(parameter)
            && labelled(parameter).is_some()
    });
    let (page, next_token) = paging::cut(parameters, input.next_token.as_deref(), input.max_results, USUAL)?;
    let mut shown = Vec::with_capacity(page.len());
    for parameter in &page {
        let Some(number) = labelled(parameter) else { continue };
        // Deleted or changed meanwhile: not part of the answer.
        let Some(version) = service.numbered(parameter, number).await? else { continue };
        let value = service.shown(parameter, &version, decrypt)?;
        shown.push(render::with_value(parameter, &version, &Selector::Newest, value));
    }
    Ok(GetParametersByPathResult { parameters: Some(shown), next_token })
}

/// The version to show: the newest, or the newest with one of the labels if any are asked for.
fn version_with_label(parameter: &Parameter, labels: &[String]) -> Option<i64> {
    if labels.is_empty() {
        return Some(parameter.newest.version);
    }
    labels.iter().filter_map(|label| parameter.labels.get(label)).max().copied()
}
