//! The access key that a request claims to be signed with.

use http::request::Parts;

/// Longest access key id that is believed to be one.
const MOST_KEY: usize = 128;

/// The access key that a request says it is signed with: in its header, or in its query string when presigned.
pub(super) fn claimed_key(parts: &Parts) -> &str {
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let after = |text: &'_ str, mark: &str| text.find(mark).map(|at| at + mark.len());
    let rest = if let Some(header) = header {
        after(header, "Credential=").map(|at| &header[at..])
    } else {
        let query = parts.uri.query().unwrap_or_default();
        after(query, "X-Amz-Credential=").map(|at| &query[at..])
    };
    let rest = rest.unwrap_or_default();
    // Ids are plain, so the first other character ends one, be it a slash or its escape.
    let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
    if end > MOST_KEY { "" } else { &rest[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_header_and_query() {
        let parts = |uri: &str, header: Option<&str>| {
            let mut request = http::Request::get(uri);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            request.body(()).expect("a request").into_parts().0
        };
        let header =
            "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host";
        assert_eq!(claimed_key(&parts("/", Some(header))), "AKIAX");
        assert_eq!(claimed_key(&parts("/?Action=X&X-Amz-Credential=AKIAY%2F20260101", None)), "AKIAY");
        assert_eq!(claimed_key(&parts("/", None)), "");
        assert_eq!(claimed_key(&parts("/", Some("Basic abc"))), "");
        let long = format!("Credential={}", "A".repeat(5000));
        assert_eq!(claimed_key(&parts("/", Some(&long))), "");
    }
}
