//! Names of parameters: what a new one may be called, and what a request means by one.

use crate::errors::{invalid, no_parameter, reserved};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;

/// Most levels of a hierarchy.
const MOST_LEVELS: usize = 15;
/// Most characters of a name, which leaves room for the rest of an ARN of 1,011.
const MOST_CHARACTERS: usize = 1011;

const AS_A_PATH: &str = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be \
                         formed as a mix of letters, numbers and the following 3 symbols .-_";
const PATH_RULES: &str = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with \
                          a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must \
                          use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). \
                          Special characters are not allowed. All sub-paths, if specified, must use the forward slash \
                          symbol \"/\". Valid example: /get/parameters2-/by1./path0_.";

/// A version that a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selector<'a> {
    /// The newest.
    Newest,
    /// This one.
    Version(i64),
    /// The one with this label.
    Label(&'a str),
}

/// What a request means by a name: a parameter of the caller's own account and region, and a version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) selector: Selector<'a>,
}

/// Reads `name`, `name:version`, `name:label`, or an ARN with or without a selector.
pub(crate) fn asked<'a>(context: &RequestContext, text: &'a str) -> Result<Asked<'a>, ServiceError> {
    let mut rest = text;
    if text.starts_with("arn:") {
        let own = text.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "ssm"
                && arn.account == context.account.as_str()
                && arn.region == context.region.as_str()
                && arn.resource.starts_with("parameter/")
        });
        let name = text.splitn(6, ':').nth(5).and_then(|resource| resource.strip_prefix("parameter"));
        rest = name.filter(|_| own).ok_or_else(|| no_parameter(text))?;
    }
    let Some((name, selector)) = rest.split_once(':') else {
        return Ok(Asked { name: rest, selector: Selector::Newest });
    };
    let selector = match selector.parse() {
        Ok(version) => Selector::Version(version),
        Err(_) if selector.is_empty() || selector.contains(':') => return Err(no_parameter(text)),
        Err(_) => Selector::Label(selector),
    };
    Ok(Asked { name, selector })
}

/// Refuses a name that no new parameter may have.
pub(crate) fn check_new(name: &str) -> Result<(), ServiceError> {
    let plain = name.trim_start_matches('/').to_ascii_lowercase();
    let is_path = name.contains('/');
    match (plain.starts_with("aws"), plain.starts_with("ssm")) {
        (true, _) if is_path => return Err(reserved(name)),
        (_, true) if is_path => {
            return Err(invalid(format!(
                "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). {AS_A_PATH}"
            )));
        }
        (true, _) | (_, true) => {
            return Err(invalid(
                "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
            ));
        }
        (false, false) => {}
    }
    if is_path && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    let levels = || name.strip_prefix('/').unwrap_or(name).split('/');
    if name.len() > MOST_CHARACTERS || !levels().all(is_level) {
        return Err(invalid(format!(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). {AS_A_PATH}"
        )));
    }
    if levels().count() > MOST_LEVELS {
        return Err(ServiceError::new(
            &crate::shapes::errors::HIERARCHY_LEVEL_LIMIT_EXCEEDED_EXCEPTION,
            format!("A hierarchy can have a maximum of {MOST_LEVELS} levels."),
        ));
    }
    Ok(())
}

/// Refuses what is no path: `/`, `/a`, `/a/b/`.
pub(crate) fn check_path(path: &str) -> Result<(), ServiceError> {
    let inner = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let levels = |inner: &str| path == "/" || inner.split('/').all(is_level);
    if inner.is_some_and(levels) { Ok(()) } else { Err(invalid(PATH_RULES)) }
}

/// Whether a parameter lies below a path that was checked.
pub(crate) fn is_below(path: &str, name: &str, recursive: bool) -> bool {
    let folder = path.trim_matches('/');
    let name = name.trim_start_matches('/');
    let inside = if folder.is_empty() {
        Some(name)
    } else {
        name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
    };
    inside.is_some_and(|rest| recursive || !rest.contains('/'))
}

fn is_level(level: &str) -> bool {
    !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;

    #[test]
    fn names_that_a_new_parameter_may_have() {
        for good in ["a", "/a", "/a/b.c/d_e-f", "My.Parameter", &format!("/{}", ["x"; 15].join("/"))] {
            assert!(check_new(good).is_ok(), "{good}");
        }
        for bad in
            ["", "a/b", "/", "//", "/a/", "/a//b", "a b", "ä", "a:1", "aws", "SSMx", "/aws/x", "/Ssm/x"]
        {
            assert!(check_new(bad).is_err(), "{bad}");
        }
        let deep = check_new(&format!("/{}", ["x"; 16].join("/"))).expect_err("refused");
        assert_eq!(deep.shape.name, "HierarchyLevelLimitExceededException");
        assert!(check_new(&"x".repeat(1012)).is_err());
        assert_eq!(check_new("/aws/x").expect_err("refused").shape.name, "AccessDeniedException");
    }

    #[test]
    fn a_request_names_a_version_by_number_or_label() {
        let context = context();
        let cases = [
            ("/a/b", "/a/b", Selector::Newest),
            ("a:3", "a", Selector::Version(3)),
            ("a:prod", "a", Selector::Label("prod")),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/a/b", "/a/b", Selector::Newest),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/a:2", "/a", Selector::Version(2)),
        ];
        for (text, name, selector) in cases {
            assert_eq!(asked(&context, text).expect("reads"), Asked { name, selector }, "{text}");
        }
        for bad in ["a:2:3", "a:", "arn:aws:ssm:us-east-1:999999999999:parameter/a", "arn:", "arn:aws:ssm"] {
            assert_eq!(asked(&context, bad).expect_err("refused").shape.name, "ParameterNotFound", "{bad}");
        }
    }

    #[test]
    fn paths() {
        for good in ["/", "/a", "/a/", "/a/b", "/aws/service"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "//", "/###", "/a//b"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
        let below = [("/", "a", false), ("/", "/a/b", true), ("/a", "/a/b", false), ("/a/", "a/b", false)];
        for (path, name, recursive) in below {
            assert!(is_below(path, name, recursive), "{path} {name}");
        }
        for (path, name) in [("/", "/a/b"), ("/a", "/ab"), ("/a", "/a"), ("/fo", "/foo/x"), ("/a", "/a/b/c")]
        {
            assert!(!is_below(path, name, false), "{path} {name}");
        }
    }
}
