//! Tokens of LookupEvents: opaque, and refused with any other question than the one they were given for.

use crate::errors::refused;
use crate::shapes::LookupEventsRequest;
use crate::shapes::errors::INVALID_NEXT_TOKEN_EXCEPTION;
use aws_wire::{RequestContext, ServiceError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Marks our tokens and their version.
const MARK: &str = "1";

/// A token that goes on below `before`.
pub(crate) fn encode(context: &RequestContext, question: &LookupEventsRequest, before: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{MARK}|{before}|{}", fingerprint(context, question)))
}

/// Where to go on.
pub(crate) fn decode(
    context: &RequestContext,
    question: &LookupEventsRequest,
    token: &str,
) -> Result<u64, ServiceError> {
    let read = || -> Option<u64> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.split('|');
        let (mark, before, print) = (parts.next()?, parts.next()?, parts.next()?);
        let same = mark == MARK && print == fingerprint(context, question) && parts.next().is_none();
        before.parse().ok().filter(|_| same)
    };
    read().ok_or_else(|| {
        let text = "The token is not valid, or it was used before with other parameters.";
        refused(&INVALID_NEXT_TOKEN_EXCEPTION, text)
    })
}

/// What of a question must stay the same from page to page.
fn fingerprint(context: &RequestContext, question: &LookupEventsRequest) -> String {
    let LookupEventsRequest { lookup_attributes, start_time, end_time, .. } = question;
    let all = format!("{}|{lookup_attributes:?}|{start_time:?}|{end_time:?}", context.account);
    hex::encode(&Sha256::digest(all)[..8])
}
