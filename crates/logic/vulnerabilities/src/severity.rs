//! How severe: what the distribution says comes before what CVSS says.

use crate::Advisory;
use cvss::Cvss;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// ECR's severities, from the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Nobody said.
    #[default]
    Undefined,
    /// Of no practical importance.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The severity behind a word of a feed.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word.trim_end_matches('*').to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "unimportant" | "negligible" | "none" | "informational" => Self::Informational,
            _ => return None,
        })
    }

    fn of_score(score: f64) -> Self {
        // The bands of the CVSS specification.
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            _ => Self::Informational,
        }
    }
}

/// A CVSS vector and its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The base score.
    pub value: f64,
    /// `2.0`, `3.0`, `3.1` or `4.0`.
    pub version: String,
    /// The vector.
    pub vector: String,
}

/// The score of a CVSS vector; `None` for what is none.
pub fn score(vector: &str) -> Option<Score> {
    let parsed = Cvss::from_str(vector).ok()?;
    let version = match parsed {
        Cvss::CvssV20(_) => "2.0",
        Cvss::CvssV30(_) => "3.0",
        Cvss::CvssV31(_) => "3.1",
        Cvss::CvssV40(_) => "4.0",
        _ => return None,
    };
    // Vectors of version 2 are written without a prefix; scores have one decimal.
    let value = (parsed.score() * 10.0).round() / 10.0;
    Some(Score { value, version: version.to_owned(), vector: vector.to_owned() })
}

/// The severity of an advisory, and its scores with the most telling first: version 3 before 4 before 2, since that is
/// what most tools compare.
pub fn rating(advisory: &Advisory) -> (Severity, Vec<Score>) {
    let mut scores: Vec<Score> = advisory.vectors.iter().filter_map(|vector| score(vector)).collect();
    scores.sort_by_key(|score| match score.version.as_str() {
        "3.1" => 0,
        "3.0" => 1,
        "4.0" => 2,
        _ => 3,
    });
    let severity = advisory.severity.or_else(|| scores.first().map(|score| Severity::of_score(score.value)));
    (severity.unwrap_or_default(), scores)
}
