//! The protocols: bytes to [`Node`], typed answers and errors to bytes.
//!
//! A protocol joins by a new variant and a module; services do not change.

pub mod cbor;
mod ec2;
pub mod json;
mod query;
pub mod rest_json;
mod xml;

use crate::{Fault, Node, Operation, ServiceDefinition, ServiceError, ToWire};

/// Most values of a request. PutLogEvents, the greediest call, has 30,000.
const MOST_VALUES: usize = 250_000;

/// How a request was sent, and so how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson1.0 and awsJson1.1.
    Json,
    /// restJson1: the operation in method and path, JSON in the body.
    RestJson,
    /// awsQuery: a form in, XML out.
    Query,
    /// ec2Query: the same with other names and other XML.
    Ec2,
    /// Smithy RPC v2 CBOR: the operation in the path, CBOR in the body.
    Cbor,
}

/// Why a request cannot be read. Answered with `SerializationException` or the protocol's like.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or nested too deeply.
    #[error("{0}")]
    Json(String),
    /// The top of a JSON request is something else than an object.
    #[error("the request is not a JSON object")]
    NotAnObject,
    /// Not CBOR, or nested too deeply.
    #[error("the request is not CBOR: {0}")]
    Cbor(String),
    /// The top of a CBOR request is something else than a map.
    #[error("the request is not a CBOR map")]
    NotAMap,
    /// More values than any call needs; each costs memory far beyond its bytes.
    #[error("the request has more than {0} values")]
    TooMany(usize),
    /// Not a form.
    #[error("the request is not a form: {0}")]
    Form(String),
}

/// An answer as it is sent.
#[derive(Debug)]
pub struct Encoded {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Protocol {
    /// Reads the input of an operation; of restJson1 what is in the body, see [`rest_json::bind`]. `form` is the body of a POST or the query string of a GET.
    pub fn read(self, operation: &Operation, form: &[u8]) -> Result<Node, ReadError> {
        match self {
            Self::Json | Self::RestJson => json::read(form),
            Self::Query => query::read(operation.input, form, query::Names::Query),
            Self::Ec2 => query::read(operation.input, form, query::Names::Ec2),
            Self::Cbor => cbor::read(form),
        }
    }

    /// Writes the answer of an operation.
    pub fn write(
        self,
        service: &ServiceDefinition,
        operation: &Operation,
        answer: &dyn ToWire,
        request_id: &str,
    ) -> Encoded {
        match self {
            Self::Json => json::write(service, answer),
            Self::RestJson => rest_json::write(operation, answer),
            Self::Query => query::write(service, operation, answer, request_id),
            Self::Ec2 => ec2::write(service, operation, answer, request_id),
            Self::Cbor => cbor::write(answer),
        }
    }

    /// Writes an error. The service is not known when the request names none.
    pub fn write_error(
        self,
        service: Option<&ServiceDefinition>,
        error: &ServiceError,
        request_id: &str,
    ) -> Encoded {
        match self {
            Self::Json => json::write_error(service, error),
            Self::RestJson => rest_json::write_error(error),
            Self::Query => query::write_error(service, error, request_id),
            Self::Ec2 => ec2::write_error(error, request_id),
            Self::Cbor => cbor::write_error(service, error),
        }
    }
}

/// The header by which clients of a service that spoke the query protocol before go on to see its codes.
fn query_error(service: Option<&ServiceDefinition>, error: &ServiceError) -> Vec<(&'static str, String)> {
    if !service.is_some_and(|service| service.protocols.contains(&"query")) {
        return vec![];
    }
    let blame = if error.shape.fault == Fault::Sender { "Sender" } else { "Receiver" };
    let code = error.shape.query_code.unwrap_or(error.shape.name);
    vec![("x-amzn-query-error", format!("{code};{blame}"))]
}

/// How JSON and XML write a number that is none.
fn not_finite(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

/// The date format of HTTP headers; times before the epoch are written as the epoch.
fn http_date(value: environment::Timestamp) -> String {
    let since_epoch = value.since(environment::Timestamp::default());
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since_epoch.min(LAST_HTTP_DATE))
}

/// 31 December 9999, 23:59:59: later years have no place in the format.
const LAST_HTTP_DATE: std::time::Duration = std::time::Duration::from_secs(253_402_300_799);
