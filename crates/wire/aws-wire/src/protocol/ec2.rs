//! ec2Query: answers have no element around their result, and errors have codes of their own.
//!
//! Requests are forms as in awsQuery, with names that [`super::query::Names::Ec2`] tells.

use super::Encoded;
use super::query::CONTENT_TYPE;
use super::xml::XmlWriter;
use crate::{Operation, ServiceDefinition, ServiceError, ToWire};

pub(super) fn write(
    service: &ServiceDefinition,
    operation: &Operation,
    answer: &dyn ToWire,
    request_id: &str,
) -> Encoded {
    let mut writer = XmlWriter::new();
    // Answers have a slash at the end of the namespace that the model lacks.
    let namespace = service.xml_namespace.trim_end_matches('/');
    writer.raw(&format!("<{}Response xmlns=\"{namespace}/\"><requestId>", operation.name));
    writer.escaped(request_id);
    writer.raw("</requestId>");
    match operation.output {
        Some(output) => writer.members(output, answer),
        // Operations without a result say that they went well.
        None => writer.raw("<return>true</return>"),
    }
    writer.raw(&format!("</{}Response>", operation.name));
    encoded(operation.status, writer)
}

pub(super) fn write_error(error: &ServiceError, request_id: &str) -> Encoded {
    let (status, code) = match error.shape.name {
        "AccessDeniedException" => (403, "UnauthorizedOperation"),
        "UnrecognizedClientException" | "InvalidSignatureException" => (401, "AuthFailure"),
        "ExpiredTokenException" => (400, "RequestExpired"),
        "UnknownOperationException" => (400, "InvalidAction"),
        "InternalFailure" => (500, "InternalError"),
        name => (error.shape.status, error.shape.query_code.unwrap_or(name)),
    };
    let mut writer = XmlWriter::new();
    writer.raw("<Response><Errors><Error><Code>");
    writer.escaped(code);
    writer.raw("</Code><Message>");
    if code == "UnauthorizedOperation" {
        writer.raw("You are not authorized to perform this operation. ");
    }
    writer.escaped(&error.message);
    writer.raw("</Message></Error></Errors><RequestID>");
    writer.escaped(request_id);
    writer.raw("</RequestID></Response>");
    encoded(status, writer)
}

fn encoded(status: u16, writer: XmlWriter) -> Encoded {
    Encoded { status, content_type: CONTENT_TYPE, headers: vec![], body: writer.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::query::{Names, read};
    use crate::schema::{Kind, Limits, Location, Member, Shape};
    use crate::{ErrorShape, Fault, Node, Writer, write_member};

    static TEXT: Shape =
        Shape { name: "T", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &[] } };
    static TEXTS: Shape = Shape {
        name: "L",
        kind: Kind::List { item: &TEXT, item_name: Some("item"), flattened: false, length: Limits::NONE },
    };
    static FILTER_MEMBERS: [Member; 2] =
        [member("Name", None, None, &TEXT), member("Values", Some("Value"), None, &TEXTS)];
    static FILTER: Shape =
        Shape { name: "F", kind: Kind::Structure { members: &FILTER_MEMBERS, union: false } };
    static FILTERS: Shape = Shape {
        name: "G",
        kind: Kind::List { item: &FILTER, item_name: Some("Filter"), flattened: false, length: Limits::NONE },
    };
    static MEMBERS: [Member; 4] = [
        member("DryRun", Some("dryRun"), None, &TEXT),
        member("Filters", Some("Filter"), None, &FILTERS),
        member("Groups", Some("groupSet"), Some("SecurityGroupId"), &TEXTS),
        member("Plain", None, None, &TEXT),
    ];
    static INPUT: Shape = Shape { name: "I", kind: Kind::Structure { members: &MEMBERS, union: false } };

    const fn member(
        name: &'static str,
        location_name: Option<&'static str>,
        query_name: Option<&'static str>,
        shape: &'static Shape,
    ) -> Member {
        Member {
            name,
            location_name,
            query_name,
            location: Location::Body,
            required: false,
            flattened: false,
            idempotency_token: false,
            sensitive: false,
            shape,
        }
    }

    #[test]
    fn names_of_a_request() {
        let form = b"Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b&DryRun=true&SecurityGroupId.1=sg&Plain=p";
        let node = read(&INPUT, form, Names::Ec2).expect("reads");
        let filters = node.items("Filters");
        assert_eq!(filters[0].text("Name"), Some("vpc-id"));
        assert_eq!(filters[0].texts("Values").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(node.boolean("DryRun"), Some(true));
        assert_eq!(node.texts("Groups").collect::<Vec<_>>(), ["sg"]);
        assert_eq!(node.text("Plain"), Some("p"));
    }

    struct Groups(Vec<String>);

    impl ToWire for Groups {
        fn write(&self, writer: &mut dyn Writer) {
            writer.begin_structure();
            write_member(writer, &MEMBERS[2], &self.0);
            writer.end_structure();
        }
    }

    #[test]
    fn answers_hold_their_members_directly() {
        let operation = |output| Operation {
            name: "DescribeX",
            method: "POST",
            uri: "/",
            status: 200,
            input: &INPUT,
            output,
            result_wrapper: None,
            actions: &[],
            signed: true,
        };
        let service = ServiceDefinition {
            name: "ec2",
            signing_name: "ec2",
            protocols: &["ec2"],
            json_version: "",
            target_prefix: "",
            api_version: "1",
            xml_namespace: "http://x/doc",
            operations: &[],
            unbuilt: &[],
        };
        let text = |encoded: Encoded| String::from_utf8(encoded.body).expect("text");
        let answer = write(&service, &operation(Some(&INPUT)), &Groups(vec!["sg".into()]), "id");
        assert_eq!(
            text(answer),
            "<DescribeXResponse xmlns=\"http://x/doc/\"><requestId>id</requestId>\
             <groupSet><item>sg</item></groupSet></DescribeXResponse>"
        );
        assert!(text(write(&service, &operation(None), &(), "id")).contains("<return>true</return>"));
    }

    #[test]
    fn errors_have_the_codes_of_ec2() {
        static DENIED: ErrorShape = ErrorShape {
            name: "AccessDeniedException",
            query_code: Some("AccessDenied"),
            status: 400,
            fault: Fault::Sender,
            message_key: "message",
        };
        let written = write_error(&ServiceError::new(&DENIED, "User: x"), "id");
        assert_eq!(written.status, 403);
        assert_eq!(
            String::from_utf8(written.body).expect("text"),
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform \
             this operation. User: x</Message></Error></Errors><RequestID>id</RequestID></Response>"
        );
        let empty = read(&INPUT, b"", Names::Ec2).expect("reads");
        assert_eq!(empty, Node::empty());
    }
}
