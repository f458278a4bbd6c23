//! Other names for principals, in the text of a policy that stays the same otherwise.
//!
//! IAM keeps users and roles in policies by their unique ids and shows them by their ARNs. Who has which id is the API's
//! to know; here a text is rewritten.

use crate::MalformedPolicy;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What of a policy names principals.
#[derive(Deserialize)]
struct Document<'t> {
    #[serde(rename = "Statement", borrow)]
    statement: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Statement<'t> {
    #[serde(rename = "Principal", borrow)]
    principal: Option<&'t RawValue>,
    #[serde(rename = "NotPrincipal", borrow)]
    not_principal: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Principals<'t> {
    #[serde(rename = "AWS", borrow)]
    aws: Option<&'t RawValue>,
}

/// Gives what stands under `"AWS"` in `Principal` and `NotPrincipal` other names: `rename` is asked for each, and
/// answers `None` where the name stays. Everything else of the document is left as it is written.
pub fn rename_principals(
    text: &str,
    mut rename: impl FnMut(&str) -> Option<String>,
) -> Result<String, MalformedPolicy> {
    let document: Document<'_> = parse(text)?;
    let mut renamed = String::with_capacity(text.len());
    let mut kept = 0;
    for statement in one_or_many(document.statement)? {
        let statement: Statement<'_> = parse(statement.get())?;
        for principals in [statement.principal, statement.not_principal].into_iter().flatten() {
            if !principals.get().starts_with('{') {
                continue;
            }
            let principals: Principals<'_> = parse(principals.get())?;
            for written in one_or_many(principals.aws)? {
                let name: String = parse(written.get())?;
                let Some(other) = rename(&name) else { continue };
                // The parser lends parts of the text, in whatever order their names stand.
                let begin = written.get().as_ptr().addr() - text.as_ptr().addr();
                if begin < kept {
                    return Err(MalformedPolicy::Syntax);
                }
                renamed.push_str(&text[kept..begin]);
                renamed.push_str(&serde_json::Value::from(other).to_string());
                kept = begin + written.get().len();
            }
        }
    }
    renamed.push_str(&text[kept..]);
    Ok(renamed)
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, MalformedPolicy> {
    serde_json::from_str(text).map_err(|_| MalformedPolicy::Syntax)
}

fn one_or_many(value: Option<&RawValue>) -> Result<Vec<&RawValue>, MalformedPolicy> {
    match value {
        None => Ok(Vec::new()),
        Some(list) if list.get().starts_with('[') => parse(list.get()),
        Some(one) => Ok(vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shouted(text: &str) -> String {
        rename_principals(text, |name| (name != "keep").then(|| name.to_uppercase())).expect("renames")
    }

    #[test]
    fn only_principals_of_aws_are_renamed() {
        let text = r#" {"Statement" : [ {"Principal":{"AWS" : ["ab","keep", "c\u0064"],"Service":"ab"},
            "Condition":{"StringEquals":{"aws:PrincipalArn":"ab"}}}, {"Principal":"*"}, {"Principal":{"Service":"ab"}},
            {"NotPrincipal":{"AWS":"ab"}} ],"Id":"ab"} "#;
        let expected = r#" {"Statement" : [ {"Principal":{"AWS" : ["AB","keep", "CD"],"Service":"ab"},
            "Condition":{"StringEquals":{"aws:PrincipalArn":"ab"}}}, {"Principal":"*"}, {"Principal":{"Service":"ab"}},
            {"NotPrincipal":{"AWS":"AB"}} ],"Id":"ab"} "#;
        assert_eq!(shouted(text), expected);
        assert_eq!(
            shouted(r#"{"Statement":{"Principal":{"AWS":"a"}}}"#),
            r#"{"Statement":{"Principal":{"AWS":"A"}}}"#
        );
        assert_eq!(shouted("{}"), "{}");
        let quoted =
            rename_principals(r#"{"Statement":{"Principal":{"AWS":"a"}}}"#, |_| Some("\"x\\".to_owned()));
        assert_eq!(quoted.expect("renames"), r#"{"Statement":{"Principal":{"AWS":"\"x\\"}}}"#);
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "[]", r#"{"Statement":[1]}"#, r#"{"Statement":{"Principal":{"AWS":1}}}"#, &deep] {
            assert!(rename_principals(text, |_| Some("x".to_owned())).is_err(), "{text:.40}");
        }
        // Both at once is no policy, but its parts come in any order.
        let both = r#"{"Statement":{"NotPrincipal":{"AWS":"a"},"Principal":{"AWS":"b"}}}"#;
        assert!(rename_principals(both, |_| Some("x".to_owned())).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in r#"[\[\]{}":, a\\]{0,60}|\{"Statement":\[?\{"Principal":.{0,40}"#) {
            let _ = rename_principals(&text, |name| Some(name.to_owned()));
        }
    }
}
