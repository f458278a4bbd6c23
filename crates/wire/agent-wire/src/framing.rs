//! Frames of TCS reports: signed header lines, an empty line, then the JSON.

use crate::{MOST_FRAME_BYTES, WireError};

/// Most header lines of a frame; the published agent writes four.
const MOST_HEADERS: usize = 32;

/// A report's frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed<'a> {
    /// Names and values of the header lines; none when the frame is bare JSON.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The JSON.
    pub json: &'a str,
}

/// Puts header lines before the JSON.
pub fn frame(headers: &[(&str, &str)], json: &str) -> String {
    let mut frame = String::with_capacity(json.len() + 512);
    for (name, value) in headers {
        for part in [*name, ": ", *value, "\r\n"] {
            frame.push_str(part);
        }
    }
    frame.push_str("\r\n");
    frame.push_str(json);
    frame
}

/// Takes a frame apart. Bare JSON is accepted as a frame without headers.
pub fn split(frame: &str) -> Result<Framed<'_>, WireError> {
    if frame.len() > MOST_FRAME_BYTES {
        return Err(WireError::TooLarge(frame.len()));
    }
    if frame.trim_start().starts_with('{') {
        return Ok(Framed { headers: Vec::new(), json: frame });
    }
    let (head, json) = frame.split_once("\r\n\r\n").ok_or(WireError::Framing("no empty line"))?;
    let mut headers = Vec::new();
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(WireError::Framing("a header without colon"))?;
        if headers.len() == MOST_HEADERS {
            return Err(WireError::Framing("too many headers"));
        }
        headers.push((name.trim(), value.trim()));
    }
    Ok(Framed { headers, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_apart_as_they_were_put_together() {
        let text = frame(&[("Host", "localhost"), ("X-Amz-Date", "20240102T030405Z")], "{\"a\":\"b\\r\\n\"}");
        let framed = split(&text).expect("splits");
        assert_eq!(framed.headers, [("Host", "localhost"), ("X-Amz-Date", "20240102T030405Z")]);
        assert_eq!(framed.json, "{\"a\":\"b\\r\\n\"}");
        assert_eq!(split("{}").expect("splits").headers, []);
    }

    #[test]
    fn broken_frames_are_refused() {
        assert!(matches!(split("Host: x\r\n"), Err(WireError::Framing(_))));
        assert!(matches!(split("Host\r\n\r\n{}"), Err(WireError::Framing(_))));
        let many = format!("{}\r\n{{}}", "a: b\r\n".repeat(40));
        assert!(matches!(split(&many), Err(WireError::Framing(_))));
        assert!(matches!(split(&" ".repeat(MOST_FRAME_BYTES + 1)), Err(WireError::TooLarge(_))));
    }
}
