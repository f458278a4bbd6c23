//! The names of condition operators: `ForAnyValue:StringNotLikeIfExists` and what they are made of.

use std::cmp::Ordering;

/// An operator, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) qualifier: Qualifier,
    pub(crate) comparison: Comparison,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// How several values of a request are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    None,
    ForAllValues,
    ForAnyValue,
}

/// How one value of the request is compared with one of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

/// Where the request's value may lie, seen from the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Does the order of a request's value to a policy's value fit?
    pub(crate) fn fits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Operator {
    /// Takes a name apart; none if there is no such operator.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (qualifier, name) = if let Some(name) = name.strip_prefix("ForAllValues:") {
            (Qualifier::ForAllValues, name)
        } else if let Some(name) = name.strip_prefix("ForAnyValue:") {
            (Qualifier::ForAnyValue, name)
        } else {
            (Qualifier::None, name)
        };
        let (if_exists, name) = match name.strip_suffix("IfExists") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let (comparison, negated) = parse_comparison(name)?;
        if if_exists && comparison == Comparison::Null {
            return None; // Null asks for existence itself.
        }
        Some(Self { qualifier, comparison, negated, if_exists })
    }
}

fn parse_comparison(name: &str) -> Option<(Comparison, bool)> {
    Some(match name {
        "StringEquals" => (Comparison::StringEquals, false),
        "StringNotEquals" => (Comparison::StringEquals, true),
        "StringEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, true),
        "StringLike" => (Comparison::StringLike, false),
        "StringNotLike" => (Comparison::StringLike, true),
        "Bool" => (Comparison::Bool, false),
        "BinaryEquals" => (Comparison::Binary, false),
        "IpAddress" => (Comparison::IpAddress, false),
        "NotIpAddress" => (Comparison::IpAddress, true),
        // AWS documents that the two behave identically.
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Null" => (Comparison::Null, false),
        _ => {
            if let Some(suffix) = name.strip_prefix("Numeric") {
                let (order, negated) = parse_order(suffix)?;
                (Comparison::Numeric(order), negated)
            } else {
                let (order, negated) = parse_order(name.strip_prefix("Date")?)?;
                (Comparison::Date(order), negated)
            }
        }
    })
}

fn parse_order(suffix: &str) -> Option<(Order, bool)> {
    Some(match suffix {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    })
}
