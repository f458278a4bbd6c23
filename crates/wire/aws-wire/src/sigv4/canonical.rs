//! The canonical request and the string to sign.

use super::parse::decoded_query;
use super::{ALGORITHM, AuthError, Authorization};
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

/// Header in which clients may state the hash of the body.
const HASH_HEADER: &str = "x-amz-content-sha256";
/// Value of that header for bodies that are not signed; only S3 takes it.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The SHA-256 hash of a body in hexadecimal.
pub fn payload_hash(body: &[u8]) -> String {
    hexadecimal(&Sha256::digest(body))
}

/// Lower-case hexadecimal text. Three are made for every request, so this is plainer than the general way.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The hash that goes into the canonical request, after checking that the body has it.
pub(super) fn claimed_payload_hash<'a>(
    authorization: &Authorization<'_>,
    parts: &'a Parts,
    body: &[u8],
) -> Result<Cow<'a, str>, AuthError> {
    let s3 = authorization.service == "s3";
    if s3 && authorization.is_presigned() {
        return Ok(UNSIGNED.into());
    }
    let claimed = parts.headers.get(HASH_HEADER).and_then(|value| value.to_str().ok());
    match claimed {
        Some(UNSIGNED) if s3 => Ok(UNSIGNED.into()),
        Some(UNSIGNED) => {
            Err(AuthError::Invalid(format!("The body must be signed: {UNSIGNED} is for Amazon S3 only.")))
        }
        Some(streaming) if streaming.starts_with("STREAMING-") => Err(AuthError::Invalid(format!(
            "{} is not supported by this service.",
            &streaming[..streaming.len().min(48)]
        ))),
        claimed => {
            let hash = payload_hash(body);
            match claimed {
                Some(claimed) if claimed != hash => Err(AuthError::Mismatch),
                _ => Ok(hash.into()),
            }
        }
    }
}

pub(super) fn canonical_request(
    authorization: &Authorization<'_>,
    parts: &Parts,
    payload_hash: &str,
) -> Result<String, AuthError> {
    let mut text = String::with_capacity(512);
    text.push_str(parts.method.as_str());
    text.push('\n');
    text.push_str(&canonical_path(parts.uri.path(), authorization.service == "s3"));
    text.push('\n');
    text.push_str(&canonical_query(parts.uri.query().unwrap_or_default()));
    text.push('\n');
    let mut names = Cow::Borrowed(authorization.signed_headers.as_slice());
    if !names.is_sorted() {
        names.to_mut().sort_unstable();
    }
    for name in names.iter() {
        text.push_str(name);
        text.push(':');
        header(&mut text, parts, name)?;
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&names.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    Ok(text)
}

pub(super) fn string_to_sign(authorization: &Authorization<'_>, canonical_request: &str) -> String {
    format!(
        "{ALGORITHM}\n{}\n{}\n{}",
        authorization.stamp,
        authorization.scope(),
        payload_hash(canonical_request.as_bytes())
    )
}

/// The values of a header: trimmed, runs of spaces folded, joined with commas.
fn header(text: &mut String, parts: &Parts, name: &str) -> Result<(), AuthError> {
    let mut first = true;
    let mut push = |value: &str| {
        if !first {
            text.push(',');
        }
        first = false;
        let mut words = value.split(' ').filter(|word| !word.is_empty());
        text.push_str(words.next().unwrap_or_default());
        for word in words {
            text.push(' ');
            text.push_str(word);
        }
    };
    for value in parts.headers.get_all(name) {
        push(value.to_str().map_err(|_| AuthError::Mismatch)?.trim());
    }
    if name == "host" && !parts.headers.contains_key("host") {
        // HTTP/2 carries the host in the request target.
        push(parts.uri.authority().map_or("", |authority| authority.as_str()));
    }
    Ok(())
}

fn canonical_path(path: &str, s3: bool) -> Cow<'_, str> {
    if path.is_empty() || path == "/" {
        return "/".into();
    }
    if s3 {
        return path.into();
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    let mut text = String::with_capacity(path.len() + 8);
    for part in &kept {
        text.push('/');
        encode(&mut text, part.as_bytes());
    }
    if kept.is_empty() || path.ends_with('/') {
        text.push('/');
    }
    text.into()
}

fn canonical_query(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut pairs: Vec<(String, String)> = decoded_query(query)
        .into_iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort_unstable();
    let joined: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(&mut out, text.as_bytes());
    out
}

/// Percent-encoding as SigV4 wants it: everything but RFC 3986's unreserved characters.
fn encode(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte));
            }
            // Writing to a String cannot fail.
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, canonical) in
            [("", "/"), ("/", "/"), ("/a/../b/./c//d", "/b/c/d"), ("/a%20b/", "/a%2520b/"), ("/../..", "/")]
        {
            assert_eq!(canonical_path(path, false), canonical, "{path}");
        }
        assert_eq!(canonical_path("/a//../b%20c", true), "/a//../b%20c");
    }

    #[test]
    fn queries_are_sorted_and_encoded() {
        assert_eq!(canonical_query("b=2&a=x%20y&a=1&c"), "a=1&a=x%20y&b=2&c=");
        assert_eq!(canonical_query("k=%2F&X-Amz-Signature=abc"), "k=%2F");
    }
}
