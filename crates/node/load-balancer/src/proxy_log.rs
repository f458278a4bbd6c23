//! What a proxy tells of a request or a connection: a line in the form that ECS documents for its own proxies.

use load_balancing::{LogFormat, ProxyLog};
use serde_json::{Map, Value};
use std::fmt::Write;

/// Codes of gRPC by their numbers, as they are written.
const GRPC: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// A field of a line.
pub(crate) struct Field {
    /// Its name in an object.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) value: Value,
    /// Whether a text has it between quotation marks.
    pub(crate) quoted: bool,
}

/// A field that is a text; one that is empty says nothing.
pub(crate) fn text(name: &'static str, value: &str, quoted: bool) -> Field {
    let value = if value.is_empty() { Value::Null } else { Value::from(value) };
    Field { name, value, quoted }
}

/// A field that is a number.
pub(crate) fn number(name: &'static str, value: impl Into<Value>) -> Field {
    Field { name, value: value.into(), quoted: false }
}

/// The name of a code of gRPC.
pub(crate) fn grpc_status(code: &[u8]) -> Option<&'static str> {
    let code: usize = std::str::from_utf8(code).ok()?.parse().ok()?;
    GRPC.get(code).copied()
}

/// Writes a line of these fields; the first of them is when it began.
pub(crate) fn write(log: ProxyLog, fields: Vec<Field>, line: &mut String) {
    match log.format {
        LogFormat::Json => {
            let object: Map<String, Value> =
                fields.into_iter().map(|field| (field.name.to_owned(), field.value)).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(line, "{}", Value::Object(object));
        }
        LogFormat::Text => {
            let mut separator = "";
            for (index, field) in fields.iter().enumerate() {
                let plain = match &field.value {
                    Value::Null => "-".to_owned(),
                    Value::String(text) => text.escape_default().to_string(),
                    other => other.to_string(),
                };
                let mark = if field.quoted { "\"" } else { "" };
                let _ = match index {
                    0 => write!(line, "[{plain}]"),
                    _ => write!(line, "{separator}{mark}{plain}{mark}"),
                };
                separator = " ";
            }
            line.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_form_that_is_wanted() {
        let fields = || {
            vec![
                text("start_time", "2026-01-02T03:04:05.678Z", false),
                text("request", "GET /a\"b HTTP/1.1", true),
                number("response_code", 200),
                text("forwarded_for", "", true),
            ]
        };
        let line = |format| {
            let mut line = String::new();
            write(ProxyLog { format, with_queries: false }, fields(), &mut line);
            line
        };
        assert_eq!(line(LogFormat::Text), "[2026-01-02T03:04:05.678Z] \"GET /a\\\"b HTTP/1.1\" 200 \"-\"\n");
        let object: Value = serde_json::from_str(&line(LogFormat::Json)).expect("an object");
        assert_eq!((&object["response_code"], &object["forwarded_for"]), (&Value::from(200), &Value::Null));
        assert_eq!(
            (grpc_status(b"14"), grpc_status(b"17"), grpc_status(b"x")),
            (Some("Unavailable"), None, None)
        );
    }
}
