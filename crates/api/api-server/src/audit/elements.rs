//! What a call was answered, as JSON without secrets.

use super::json::Json;
use super::resources::{Named, add_arn};
use super::rules::{HIDDEN, is_content, is_secret};
use aws_wire::schema::Member;
use aws_wire::{ToWire, Writer};
use environment::Timestamp;

/// Writes the answer, and adds the resources whose ARNs are in it; `None` when it is empty.
pub(super) fn write(service: &str, answer: &dyn ToWire, resources: &mut Vec<Named>) -> Option<String> {
    let mut writer = Elements { json: Json::new(), service, resources, member: None, skipped: None };
    answer.write(&mut writer);
    writer.json.finish("responseElements")
}

/// A writer of answers that knows what to leave out.
struct Elements<'a> {
    json: Json,
    service: &'a str,
    resources: &'a mut Vec<Named>,
    /// A member whose name is written with its value, because some values are left out.
    member: Option<&'static Member>,
    /// Nothing is written until the value ends that began here: how deep in it we are.
    skipped: Option<usize>,
}

impl Elements<'_> {
    /// A scalar is next: whether it is written.
    fn scalar(&mut self) -> bool {
        match self.skipped {
            Some(0) => self.skipped = None,
            Some(_) => {}
            None => {
                self.name();
                return true;
            }
        }
        false
    }

    fn open(&mut self, bracket: char) {
        if let Some(depth) = &mut self.skipped {
            *depth += 1;
        } else {
            self.name();
            self.json.open(bracket);
        }
    }

    fn close(&mut self, bracket: char) {
        match self.skipped {
            Some(depth) => self.skipped = (depth > 1).then(|| depth - 1),
            None => self.json.close(bracket),
        }
    }

    fn name(&mut self) {
        if let Some(member) = self.member.take() {
            self.json.member(member.location_name.unwrap_or(member.name));
        }
    }
}

impl Writer for Elements<'_> {
    fn begin_structure(&mut self) {
        self.open('{');
    }

    fn member(&mut self, member: &'static Member) {
        if self.skipped.is_some() {
            return;
        }
        if is_content(self.service, member.name) || self.json.is_full() {
            self.skipped = Some(0);
        } else if member.sensitive || is_secret(self.service, member.name) {
            self.json.member(member.location_name.unwrap_or(member.name));
            self.json.text(HIDDEN);
            self.skipped = Some(0);
        } else {
            self.member = Some(member);
        }
    }

    fn end_structure(&mut self) {
        self.close('}');
    }

    fn begin_list(&mut self) {
        self.open('[');
    }

    fn item(&mut self) {
        if self.skipped.is_none() {
            self.json.separate();
        }
    }

    fn end_list(&mut self) {
        self.close(']');
    }

    fn begin_map(&mut self) {
        self.open('{');
    }

    fn key(&mut self, key: &str) {
        if self.skipped.is_none() {
            self.json.key(key);
        }
    }

    fn end_map(&mut self) {
        self.close('}');
    }

    fn text(&mut self, value: &str) {
        let is_arn_member = self.member.is_some_and(|member| member.name.ends_with("rn"));
        if self.scalar() {
            self.json.text(value);
            if is_arn_member || value.starts_with("arn:") {
                add_arn(value, self.resources);
            }
        }
    }

    fn integer(&mut self, value: i64) {
        if self.scalar() {
            self.json.display(value);
        }
    }

    fn float(&mut self, value: f64) {
        if self.scalar() {
            self.json.float(value);
        }
    }

    fn boolean(&mut self, value: bool) {
        if self.scalar() {
            self.json.display(value);
        }
    }

    fn timestamp(&mut self, value: Timestamp) {
        if self.scalar() {
            self.json.text(&value.to_rfc3339_seconds());
        }
    }

    fn blob(&mut self, _value: &[u8]) {
        if self.member.take().is_none() && self.scalar() {
            self.json.display("null");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_wire::schema::{Kind, Limits, Location, Shape};
    use aws_wire::write_member;

    static TEXT: Shape =
        Shape { name: "Text", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &[] } };
    const fn member(name: &'static str, sensitive: bool) -> Member {
        Member {
            name,
            location_name: None,
            query_name: None,
            location: Location::Body,
            required: false,
            flattened: false,
            idempotency_token: false,
            sensitive,
            shape: &TEXT,
        }
    }
    static CREDENTIALS: [Member; 2] = [member("AccessKeyId", false), member("SecretAccessKey", false)];
    static OUTPUT: [Member; 5] = [
        member("Credentials", false),
        member("Data", false),
        member("Hidden", true),
        member("RoleArn", false),
        member("When", false),
    ];

    struct Keys;
    impl ToWire for Keys {
        fn write(&self, writer: &mut dyn Writer) {
            writer.begin_structure();
            write_member(writer, &CREDENTIALS[0], &"ASIAX".to_owned());
            write_member(writer, &CREDENTIALS[1], &"the secret".to_owned());
            writer.end_structure();
        }
    }
    struct Output;
    impl ToWire for Output {
        fn write(&self, writer: &mut dyn Writer) {
            writer.begin_structure();
            write_member(writer, &OUTPUT[0], &Keys);
            write_member(writer, &OUTPUT[1], &b"bytes".to_vec());
            write_member(writer, &OUTPUT[2], &vec![vec!["a".to_owned()], vec![]]);
            write_member(writer, &OUTPUT[3], &"arn:aws:iam::123456789012:role/r".to_owned());
            write_member(writer, &OUTPUT[4], &Timestamp::from_seconds(0));
            writer.end_structure();
        }
    }

    #[test]
    fn secrets_and_bytes_stay_out() {
        let mut resources = Vec::new();
        let text = write("sts", &Output, &mut resources).expect("something");
        let expected = r#"{"credentials":{"accessKeyId":"ASIAX","secretAccessKey":"HIDDEN_DUE_TO_SECURITY_REASONS"},"hidden":"HIDDEN_DUE_TO_SECURITY_REASONS","roleArn":"arn:aws:iam::123456789012:role/r","when":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(text, expected);
        assert_eq!(resources[0].resource().kind, "AWS::IAM::Role");
        assert_eq!(write("sts", &(), &mut resources), None);
    }
}
