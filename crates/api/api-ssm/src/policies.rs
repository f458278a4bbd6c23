//! Policies of parameters: a JSON list in the request, of which the region keeps expirations.

use crate::errors::invalid;
use crate::shapes::errors::{
    INVALID_POLICY_ATTRIBUTE_EXCEPTION, INVALID_POLICY_TYPE_EXCEPTION, POLICIES_LIMIT_EXCEEDED_EXCEPTION,
};
use aws_wire::ServiceError;
use environment::Timestamp;
use resources::ssm::Policy;
use serde_json::Value;

/// Most policies of a parameter.
const MOST: usize = 10;
const EXPIRATION: &str = "Expiration";

/// Reads the policies of a request.
pub(crate) fn read(text: &str, now: Timestamp) -> Result<Vec<Policy>, ServiceError> {
    let list = match serde_json::from_str(text) {
        Ok(Value::Array(list)) => list,
        // An empty object takes all policies away.
        Ok(Value::Object(object)) if object.is_empty() => vec![],
        _ => return Err(invalid("The policies must be a JSON list of policies.")),
    };
    if list.len() > MOST {
        return Err(ServiceError::new(
            &POLICIES_LIMIT_EXCEEDED_EXCEPTION,
            format!("A parameter can have a maximum of {MOST} policies."),
        ));
    }
    let policies = list.iter().map(|policy| one(policy, now)).collect::<Result<Vec<_>, _>>()?;
    if policies.len() > 1 {
        return Err(wrong("A parameter can have one Expiration policy only."));
    }
    Ok(policies)
}

fn one(policy: &Value, now: Timestamp) -> Result<Policy, ServiceError> {
    let attributes = &policy["Attributes"];
    match policy["Type"].as_str() {
        Some(EXPIRATION) => {}
        Some("ExpirationNotification") => {
            check_period(attributes, "Before")?;
            return Err(no_notifications());
        }
        Some("NoChangeNotification") => {
            check_period(attributes, "After")?;
            return Err(no_notifications());
        }
        _ => {
            return Err(ServiceError::new(
                &INVALID_POLICY_TYPE_EXCEPTION,
                "The policy type isn't supported. Parameter Store supports the following policy types: Expiration, \
                 ExpirationNotification, and NoChangeNotification.",
            ));
        }
    }
    if policy["Version"] != "1.0" {
        return Err(wrong("The Version of a policy must be 1.0."));
    }
    let time = attributes["Timestamp"].as_str().and_then(Timestamp::parse_rfc3339);
    let time =
        time.ok_or_else(|| wrong("The Timestamp of an Expiration policy must be a time in ISO 8601."))?;
    if time <= now {
        return Err(wrong("The Timestamp of an Expiration policy must lie in the future."));
    }
    Ok(Policy { text: policy.to_string(), expires_at: time })
}

fn check_period(attributes: &Value, name: &str) -> Result<(), ServiceError> {
    let number = attributes[name].as_str().and_then(|text| text.parse::<u32>().ok());
    let unit = matches!(attributes["Unit"].as_str(), Some("Days" | "Hours"));
    if number.is_none_or(|number| number == 0) || !unit {
        return Err(wrong(format!(
            "A notification policy needs the attributes {name} and Unit (Days or Hours)."
        )));
    }
    Ok(())
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> ServiceError {
    ServiceError::new(&INVALID_POLICY_ATTRIBUTE_EXCEPTION, message)
}

fn no_notifications() -> ServiceError {
    ServiceError::new(
        &INVALID_POLICY_TYPE_EXCEPTION,
        "This region sends no notifications; use a policy of the type Expiration.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_carried_out_is_taken() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let good =
            r#"[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2030-01-02T03:04:05Z"}}]"#;
        let read = |text: &str| super::read(text, now);
        let policies = read(good).expect("reads");
        assert_eq!(policies[0].expires_at, Timestamp::parse_rfc3339("2030-01-02T03:04:05Z").expect("a time"));
        assert!(read("{}").expect("reads").is_empty());
        assert!(read("[]").expect("reads").is_empty());
        let notify =
            r#"[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]"#;
        let cases = [
            ("invalid json", "ValidationException"),
            (r#"["Expiration"]"#, "InvalidPolicyTypeException"),
            (&good.replace("2030", "2001"), "InvalidPolicyAttributeException"),
            (&good.replace("1.0", "2.0"), "InvalidPolicyAttributeException"),
            (notify, "InvalidPolicyTypeException"),
            (&notify.replace("Days", "Years"), "InvalidPolicyAttributeException"),
            (&format!("[{}]", ["{}"; 11].join(",")), "PoliciesLimitExceededException"),
        ];
        for (text, code) in cases {
            assert_eq!(read(text).expect_err("refused").shape.name, code, "{text}");
        }
    }
}
