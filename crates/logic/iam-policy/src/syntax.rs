//! The grammar of a policy document: which elements there are and of which JSON type each is.
//!
//! Everything here fails with one message, as AWS does; what a well-formed document may not say is in
//! [`validate`](crate::validate).

use crate::document::Json;
use crate::policy::{MAX_CHARACTERS, MAX_STATEMENTS};
use crate::{MalformedPolicy, PolicyKind};

/// A document of the right shape.
#[derive(Debug)]
pub(crate) struct Document {
    /// None where the document names no version, which means the old one.
    pub(crate) version: Option<Version>,
    pub(crate) statements: Vec<RawStatement>,
}

/// The version of the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V2008,
    V2012,
}

/// A statement as written.
#[derive(Debug, Default)]
pub(crate) struct RawStatement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: String,
    pub(crate) principal: Option<RawPrincipal>,
    pub(crate) not_principal: Option<RawPrincipal>,
    pub(crate) action: Option<Vec<String>>,
    pub(crate) not_action: Option<Vec<String>>,
    pub(crate) resource: Option<Vec<String>>,
    pub(crate) not_resource: Option<Vec<String>>,
    pub(crate) conditions: Vec<RawCondition>,
}

/// The value of `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub(crate) enum RawPrincipal {
    /// The text `"*"`.
    Anyone,
    /// Kinds with their values.
    Named(Vec<(PrincipalType, Vec<String>)>),
}

/// The kinds of principals that documents name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalType {
    Aws,
    Service,
    Federated,
    CanonicalUser,
}

/// One operator with one key.
#[derive(Debug)]
pub(crate) struct RawCondition {
    pub(crate) operator: String,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

type Parsed<T> = Result<T, MalformedPolicy>;

impl Document {
    pub(crate) fn parse(text: &str, kind: PolicyKind) -> Parsed<Self> {
        // A character is at least a byte and at most four; count only where it may matter.
        if text.len() > MAX_CHARACTERS && text.chars().count() > MAX_CHARACTERS {
            return Err(MalformedPolicy::TooLong);
        }
        let Ok(Json::Object(elements)) = Json::parse(text) else { return Err(MalformedPolicy::Syntax) };
        let mut version = None;
        let mut statements = Vec::new();
        for (name, value) in elements {
            match (name.as_str(), value) {
                ("Version", Json::Text(text)) => version = Some(parse_version(&text)?),
                ("Id", Json::Text(_)) => {}
                ("Statement", Json::List(list)) => {
                    if list.len() > MAX_STATEMENTS {
                        return Err(MalformedPolicy::TooManyStatements);
                    }
                    statements =
                        list.into_iter().map(|item| parse_statement(item, kind)).collect::<Parsed<_>>()?;
                }
                ("Statement", object @ Json::Object(_)) => statements = vec![parse_statement(object, kind)?],
                _ => return Err(MalformedPolicy::Syntax),
            }
        }
        if statements.is_empty() {
            return Err(MalformedPolicy::Syntax);
        }
        Ok(Self { version, statements })
    }
}

fn parse_version(text: &str) -> Parsed<Version> {
    match text {
        "2008-10-17" => Ok(Version::V2008),
        "2012-10-17" => Ok(Version::V2012),
        _ => Err(MalformedPolicy::Syntax),
    }
}

fn parse_statement(json: Json, kind: PolicyKind) -> Parsed<RawStatement> {
    let Json::Object(elements) = json else { return Err(MalformedPolicy::Syntax) };
    let mut statement = RawStatement::default();
    let mut effect = None;
    for (name, value) in elements {
        match name.as_str() {
            "Sid" => statement.sid = Some(text(value)?),
            "Effect" => effect = Some(text(value)?),
            "Principal" => statement.principal = Some(parse_principal(value)?),
            "NotPrincipal" => statement.not_principal = Some(parse_principal(value)?),
            "Action" => statement.action = Some(texts(value, Nulls::Refused)?),
            "NotAction" => statement.not_action = Some(texts(value, Nulls::Refused)?),
            "Resource" => statement.resource = Some(texts(value, Nulls::Dropped)?),
            "NotResource" => statement.not_resource = Some(texts(value, Nulls::Dropped)?),
            "Condition" => statement.conditions = parse_conditions(value, kind)?,
            _ => return Err(MalformedPolicy::Syntax),
        }
    }
    let both = (statement.action.is_some() && statement.not_action.is_some())
        || (statement.resource.is_some() && statement.not_resource.is_some())
        || (statement.principal.is_some() && statement.not_principal.is_some());
    statement.effect = effect.filter(|_| !both).ok_or(MalformedPolicy::Syntax)?;
    if ["allow", "deny"].iter().any(|known| statement.effect.eq_ignore_ascii_case(known)) {
        Ok(statement)
    } else {
        Err(MalformedPolicy::Syntax)
    }
}

fn parse_principal(json: Json) -> Parsed<RawPrincipal> {
    match json {
        Json::Text(text) if text == "*" => Ok(RawPrincipal::Anyone),
        Json::Object(kinds) => kinds
            .into_iter()
            .map(|(name, values)| Ok((principal_type(&name)?, texts(values, Nulls::Refused)?)))
            .collect::<Parsed<_>>()
            .map(RawPrincipal::Named),
        _ => Err(MalformedPolicy::Syntax),
    }
}

fn principal_type(name: &str) -> Parsed<PrincipalType> {
    match name {
        "AWS" => Ok(PrincipalType::Aws),
        "Service" => Ok(PrincipalType::Service),
        "Federated" => Ok(PrincipalType::Federated),
        "CanonicalUser" => Ok(PrincipalType::CanonicalUser),
        _ => Err(MalformedPolicy::Syntax),
    }
}

fn parse_conditions(json: Json, kind: PolicyKind) -> Parsed<Vec<RawCondition>> {
    let Json::Object(operators) = json else { return Err(MalformedPolicy::Syntax) };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(MalformedPolicy::Syntax) };
        // AWS takes an unknown operator that compares nothing.
        if !keys.is_empty() && crate::condition::Operator::parse(&operator).is_none() {
            return Err(match kind {
                PolicyKind::Resource => MalformedPolicy::ConditionType(operator),
                PolicyKind::Identity | PolicyKind::Managed | PolicyKind::Trust => MalformedPolicy::Syntax,
            });
        }
        for (key, values) in keys {
            let values = condition_values(values)?;
            conditions.push(RawCondition { operator: operator.clone(), key, values });
        }
    }
    Ok(conditions)
}

fn condition_values(json: Json) -> Parsed<Vec<String>> {
    match json {
        Json::List(list) => list.into_iter().map(scalar).collect(),
        other => Ok(vec![scalar(other)?]),
    }
}

fn scalar(json: Json) -> Parsed<String> {
    match json {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(MalformedPolicy::Syntax),
    }
}

fn text(json: Json) -> Parsed<String> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(MalformedPolicy::Syntax),
    }
}

/// AWS overlooks `null` in a list of resources.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Refused,
    Dropped,
}

fn texts(json: Json, nulls: Nulls) -> Parsed<Vec<String>> {
    match json {
        Json::Text(text) => Ok(vec![text]),
        Json::List(list) => {
            let kept = list.into_iter().filter(|item| nulls == Nulls::Refused || *item != Json::Null);
            kept.map(text).collect()
        }
        _ => Err(MalformedPolicy::Syntax),
    }
}
