//! DecodeAuthorizationMessage: the reasons of a denial that was answered encoded.

use crate::StsService;
use crate::shapes::{DecodeAuthorizationMessageRequest, DecodeAuthorizationMessageResponse, errors};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &StsService,
    _context: &RequestContext,
    input: DecodeAuthorizationMessageRequest,
) -> Result<DecodeAuthorizationMessageResponse, ServiceError> {
    let decoded = service.access.decode_denial(&input.encoded_message).ok_or_else(|| {
        ServiceError::new(&errors::INVALID_AUTHORIZATION_MESSAGE_EXCEPTION, "Message is not valid")
    })?;
    Ok(DecodeAuthorizationMessageResponse { decoded_message: Some(decoded) })
}
