//! A service made for these tests: it echoes, fails, hangs and panics, in both protocols.

use aws_wire::authorization::{AccessLevel, Action};
use aws_wire::schema::{Kind, Limits, Location, Member, Shape};
use aws_wire::{
    Answer, ErrorShape, Fault, Node, Operation, RequestContext, Service, ServiceDefinition, ServiceError,
    ToWire, Writer, write_member,
};
use tokio::sync::Notify;

static TEXT: Shape = Shape {
    name: "Text",
    kind: Kind::Text { length: Limits { min: None, max: Some(3) }, pattern: None, values: &[] },
};
static COUNT: Shape = Shape { name: "Count", kind: Kind::Integer { range: Limits::NONE } };
const fn member(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        location_name: None,
        query_name: None,
        location: Location::Body,
        required: false,
        flattened: false,
        idempotency_token: false,
        sensitive: false,
        shape,
    }
}
static MEMBERS: [Member; 2] = [member("count", &COUNT), member("text", &TEXT)];
static SHAPE: Shape = Shape { name: "Echo", kind: Kind::Structure { members: &MEMBERS, union: false } };

static ACTION: Action = Action {
    name: "probe:Probe",
    access: AccessLevel::Read,
    resources: &[],
    condition_keys: &[],
    dependent_actions: &[],
};

static ACTIONS: [&Action; 1] = [&ACTION];

const fn operation(name: &'static str) -> Operation {
    Operation {
        name,
        method: "POST",
        uri: "/",
        status: 200,
        input: &SHAPE,
        output: Some(&SHAPE),
        result_wrapper: Some("EchoResult"),
        actions: &ACTIONS,
        signed: true,
    }
}
static OPERATIONS: [Operation; 4] =
    [operation("Echo"), operation("Fail"), operation("Hang"), operation("Panic")];
static DEFINITION: ServiceDefinition = ServiceDefinition {
    name: "probe",
    signing_name: "probe",
    protocols: &["json", "query"],
    json_version: "1.1",
    target_prefix: "Probe_20200101",
    api_version: "2020-01-01",
    xml_namespace: "https://probe/",
    operations: &OPERATIONS,
    unbuilt: &["Later"],
};

const fn shape(name: &'static str, status: u16, fault: Fault) -> ErrorShape {
    ErrorShape { name, query_code: None, status, fault, message_key: "Message" }
}
static INVALID: ErrorShape = shape("ProbeInvalid", 400, Fault::Sender);
static FAILED: ErrorShape = shape("ProbeFailed", 503, Fault::Receiver);

pub(crate) struct Probe;

/// Tells that an operation hangs.
pub(crate) static HANGING: Notify = Notify::const_new();

struct Echo(Option<String>);

impl ToWire for Echo {
    fn write(&self, writer: &mut dyn Writer) {
        writer.begin_structure();
        write_member(writer, &MEMBERS[1], &self.0);
        writer.end_structure();
    }
}

#[async_trait::async_trait]
impl Service for Probe {
    fn definition(&self) -> &'static ServiceDefinition {
        &DEFINITION
    }

    fn validation_error(&self) -> &'static ErrorShape {
        &INVALID
    }

    async fn call(
        &self,
        operation: &'static Operation,
        _context: &RequestContext,
        input: Node,
    ) -> Result<Answer, ServiceError> {
        match operation.name {
            "Echo" => Ok(Box::new(Echo(input.text("text").map(str::to_owned)))),
            "Fail" => Err(ServiceError::new(&FAILED, "down")),
            "Hang" => {
                HANGING.notify_one();
                std::future::pending().await
            }
            _ => panic!("as asked"),
        }
    }
}
