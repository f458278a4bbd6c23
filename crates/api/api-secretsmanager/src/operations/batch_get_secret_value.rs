//! BatchGetSecretValue.

use super::get_secret_value;
use crate::SecretsManagerService;
use crate::errors::invalid_parameter;
use crate::filters::Filters;
use crate::operations::list_secrets::all;
use crate::paging;
use crate::shapes::{
    APIErrorType, BatchGetSecretValueRequest, BatchGetSecretValueResponse, GetSecretValueRequest,
    SecretValueEntry,
};
use aws_wire::{RequestContext, ServiceError};

/// Values of a page when the request does not say.
const USUAL: i32 = 20;

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: BatchGetSecretValueRequest,
) -> Result<BatchGetSecretValueResponse, ServiceError> {
    let filtered = input.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    if filtered == input.secret_id_list.is_some() {
        return Err(invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both."));
    }
    if !filtered && input.max_results.is_some() {
        return Err(invalid_parameter(
            "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
        ));
    }
    let (ids, next_token) = if let Some(ids) = input.secret_id_list {
        (ids, None)
    } else {
        let filters = Filters::read(input.filters)?;
        let scope = format!("values {}", filters.scope());
        let limit = Some(input.max_results.unwrap_or(USUAL));
        let page = paging::request(input.next_token.as_deref(), limit, scope)?;
        let secrets = all(service, context).await?;
        let wanted =
            secrets.into_iter().filter(|secret| secret.deletion.is_none() && filters.let_through(secret));
        page.cut_placed(
            wanted.map(|secret| (format!("{:020}", secret.create_revision), secret.arn())).collect(),
        )
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for secret_id in ids {
        let one = GetSecretValueRequest { secret_id: secret_id.clone(), ..GetSecretValueRequest::default() };
        match get_secret_value::run(service, context, one).await {
            Ok(found) => values.push(SecretValueEntry {
                arn: found.arn,
                name: found.name,
                version_id: found.version_id,
                version_stages: found.version_stages,
                created_date: found.created_date,
                secret_string: found.secret_string,
                secret_binary: found.secret_binary,
            }),
            Err(error) => errors.push(APIErrorType {
                secret_id: Some(secret_id),
                error_code: Some(error.shape.name.to_owned()),
                message: Some(error.message.into_owned()),
            }),
        }
    }
    Ok(BatchGetSecretValueResponse { secret_values: Some(values), errors: Some(errors), next_token })
}
