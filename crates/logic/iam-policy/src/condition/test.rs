//! The comparison of one value of a request with the values of a policy, compiled.

use super::date::{self, Instant};
use super::number::Number;
use super::operator::{Comparison, Order};
use crate::Context;
use crate::arn::{ArnPattern, ArnText, Variables};
use crate::pattern::Pattern;
use crate::syntax::Version;
use crate::template::{Special, Token, Variable, tokenize, variables};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use std::net::IpAddr;

/// What a value is compared with. Values of a policy that are not of the operator's type are left out: nothing can
/// match them.
#[derive(Debug)]
pub(crate) enum Test {
    /// Texts, exactly or with wildcards.
    Strings(Box<[Pattern]>),
    IgnoreCase(Box<[Box<[Token]>]>),
    Numbers(Order, Box<[Number]>),
    Dates(Order, Box<[Instant]>),
    Bools(Box<[bool]>),
    Binaries(Box<[Vec<u8>]>),
    Addresses(Box<[IpNet]>),
    Arns(Box<[ArnPattern]>),
    /// Whether the key is to be absent.
    Null(Box<[bool]>),
}

impl Test {
    pub(crate) fn compile(comparison: Comparison, values: &[String], version: Version) -> Self {
        let variables = version == Version::V2012;
        let patterns = |wildcards| {
            values.iter().map(|value| Pattern::compile(value, Special { wildcards, variables })).collect()
        };
        let plain = Special { wildcards: false, variables };
        match comparison {
            Comparison::StringEquals => Self::Strings(patterns(false)),
            Comparison::StringLike => Self::Strings(patterns(true)),
            Comparison::StringEqualsIgnoreCase => {
                Self::IgnoreCase(values.iter().map(|value| tokenize(value, plain).into()).collect())
            }
            Comparison::Numeric(order) => Self::Numbers(order, parsed(values, Number::parse)),
            Comparison::Date(order) => Self::Dates(order, parsed(values, date::parse)),
            Comparison::Bool => Self::Bools(parsed(values, parse_bool)),
            Comparison::Binary => Self::Binaries(parsed(values, |text| STANDARD.decode(text).ok())),
            Comparison::IpAddress => Self::Addresses(parsed(values, parse_network)),
            Comparison::Arn => {
                let places = if variables { Variables::Everywhere } else { Variables::Nowhere };
                Self::Arns(values.iter().map(|value| ArnPattern::compile(value, places)).collect())
            }
            Comparison::Null => Self::Null(parsed(values, parse_bool)),
        }
    }

    /// Does a value of the request match any value of the policy?
    pub(crate) fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Strings(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Self::IgnoreCase(texts) => texts.iter().any(|text| equal_ignoring_case(text, value, context)),
            Self::Numbers(order, numbers) => Number::parse(value).is_some_and(|value| {
                let fits = |number: &Number| value.compare(*number).is_some_and(|found| order.fits(found));
                numbers.iter().any(fits)
            }),
            Self::Dates(order, dates) => {
                date::parse(value).is_some_and(|value| dates.iter().any(|date| order.fits(value.cmp(date))))
            }
            Self::Bools(wanted) => parse_bool(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binaries(wanted) => STANDARD.decode(value).is_ok_and(|value| wanted.contains(&value)),
            // An IPv4 caller on an IPv6 socket is still an IPv4 caller.
            Self::Addresses(networks) => value.parse::<IpAddr>().is_ok_and(|address| {
                let address = address.to_canonical();
                networks.iter().any(|network| network.contains(&address))
            }),
            Self::Arns(patterns) => {
                let arn = ArnText::new(value);
                patterns.iter().any(|pattern| pattern.matches(arn, context))
            }
            // Decided by the condition, which knows whether there is a value.
            Self::Null(_) => false,
        }
    }

    /// The variables in the values of the policy.
    pub(crate) fn variables(&self) -> Box<dyn Iterator<Item = &Variable> + '_> {
        match self {
            Self::Strings(patterns) => Box::new(patterns.iter().flat_map(Pattern::variables)),
            Self::IgnoreCase(texts) => Box::new(texts.iter().flat_map(|text| variables(text))),
            Self::Arns(patterns) => Box::new(patterns.iter().flat_map(ArnPattern::variables)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

fn parsed<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Box<[T]> {
    values.iter().filter_map(|value| parse(value)).collect()
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("false").then_some(false)
    }
}

/// A range, or a single address.
fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn equal_ignoring_case(text: &[Token], value: &str, context: &Context) -> bool {
    let mut rest = value.chars().flat_map(char::to_lowercase);
    for token in text {
        let expected = match token {
            Token::Text(text) => Some(text.as_str()),
            Token::Variable(variable) => variable.resolve(context),
            Token::Star | Token::One => None,
        };
        let Some(expected) = expected else { return false };
        if !expected.chars().flat_map(char::to_lowercase).all(|character| rest.next() == Some(character)) {
            return false;
        }
    }
    rest.next().is_none()
}
