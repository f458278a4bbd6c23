//! BatchCheckLayerAvailability.

use crate::EcrPublicService;
use crate::errors::images_failed;
use crate::shapes::{
    BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse, Layer, LayerAvailability,
    LayerFailure, LayerFailureCode,
};
use aws_wire::{RequestContext, ServiceError};
use blob_store::Digest;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: BatchCheckLayerAvailabilityRequest,
) -> Result<BatchCheckLayerAvailabilityResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for text in input.layer_digests {
        let Ok(digest) = text.parse::<Digest>() else {
            failures.push(malformed(text));
            continue;
        };
        let link = service.registry.link(&repository.account, &repository.name, &digest).await;
        let link = link.map_err(images_failed)?;
        let availability =
            if link.is_some() { LayerAvailability::Available } else { LayerAvailability::Unavailable };
        layers.push(Layer {
            layer_digest: Some(text),
            layer_availability: Some(availability),
            layer_size: link.and_then(|link| i64::try_from(link.size).ok()),
            media_type: None,
        });
    }
    Ok(BatchCheckLayerAvailabilityResponse { layers: Some(layers), failures: Some(failures) })
}

fn malformed(digest: String) -> LayerFailure {
    let (code, reason) = if digest.is_empty() {
        (LayerFailureCode::MissingLayerDigest, "Layer digest is missing")
    } else {
        let text = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
        (LayerFailureCode::InvalidLayerDigest, text)
    };
    LayerFailure {
        layer_digest: Some(digest),
        failure_code: Some(code),
        failure_reason: Some(reason.to_owned()),
    }
}
