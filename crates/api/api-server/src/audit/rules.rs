//! What the API models do not say: which calls change nothing, which values are secrets, what is too long to keep.

/// What stands in a record in place of a secret.
pub(super) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// Most bytes of parameters or of an answer; CloudTrail's own limit.
pub(super) const MOST_BYTES: usize = 100 * 1024;

/// Beginnings of the names of operations that change nothing.
const READING: &[&str] = &[
    "AssumeRole",
    "BatchCheck",
    "BatchGet",
    "Check",
    "Decode",
    "Describe",
    "Discover",
    "Download",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Simulate",
    "Test",
    "Validate",
];

/// Names of members that hold secrets, lower case, beside those that the models call sensitive.
const SECRETS: &[&str] = &[
    "authorizationtoken",
    "clientsecret",
    "newpassword",
    "oldpassword",
    "password",
    "privatekey",
    "randompassword",
    "samlassertion",
    "secretaccesskey",
    "secretbinary",
    "secretstring",
    "sessiontoken",
    "tokenvalue",
    "webidentitytoken",
];

/// Secrets that only the service's name tells from harmless members.
const SECRETS_OF_SERVICES: &[(&str, &str)] = &[
    // Values of the environment are where passwords are put.
    ("ecs", "environment"),
    ("ssm", "Value"),
    ("iam", "OpenIDConnectClientSecret"),
];

/// Members that hold what is stored rather than what is asked.
const CONTENT: &[(&str, &str)] = &[("logs", "logEvents"), ("logs", "events")];

/// Whether an operation changes nothing.
pub(super) fn is_read_only(operation: &str) -> bool {
    READING.iter().any(|beginning| operation.starts_with(beginning))
}

/// Whether the answer is recorded although the call changes nothing: what STS gives out can be used.
pub(super) fn gives_credentials(service: &str, operation: &str) -> bool {
    let gives = ["AssumeRole", "GetSessionToken", "GetFederationToken"];
    service == "sts" && gives.iter().any(|beginning| operation.starts_with(beginning))
}

/// Whether a call moves data and is no business of who looks after the account.
pub(super) fn is_data_event(service: &str, operation: &str) -> bool {
    match service {
        "logs" => matches!(operation, "PutLogEvents" | "GetLogEvents" | "FilterLogEvents"),
        "cloudwatch" => matches!(operation, "PutMetricData" | "GetMetricData" | "GetMetricStatistics"),
        _ => false,
    }
}

/// Whether a member holds a secret, as far as its name tells.
pub(super) fn is_secret(service: &str, member: &str) -> bool {
    SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(member))
        || SECRETS_OF_SERVICES.contains(&(service, member))
}

/// Whether a member is left out.
pub(super) fn is_content(service: &str, member: &str) -> bool {
    CONTENT.contains(&(service, member))
}

/// The source of a service's events.
pub(super) fn event_source(service: &str) -> String {
    // CloudWatch is `monitoring` everywhere but in its model.
    format!("{}.amazonaws.com", if service == "cloudwatch" { "monitoring" } else { service })
}

/// The beginning of a text that is too long.
pub(super) fn shorten(text: &str, most: usize) -> &str {
    let fits = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..fits.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_read() {
        for reads in ["ListClusters", "DescribeTasks", "GetSecretValue", "LookupEvents", "BatchGetImage"] {
            assert!(is_read_only(reads), "{reads}");
        }
        for changes in ["RunTask", "CreateCluster", "PutImage", "BatchDeleteImage", "SubmitTaskStateChange"] {
            assert!(!is_read_only(changes), "{changes}");
        }
    }

    #[test]
    fn secrets_by_name() {
        assert!(is_secret("secretsmanager", "SecretString") && is_secret("sts", "SessionToken"));
        assert!(is_secret("ssm", "Value") && !is_secret("ecs", "value"));
        assert!(!is_secret("secretsmanager", "SecretId"));
    }
}
