//! Log drivers and their options.

use super::firelens::Routed;
use super::multiline::Multiline;
use super::splunk::Splunk;
use std::collections::BTreeMap;

/// Where a container's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsLogs {
    /// Log group.
    pub group: String,
    /// Log stream: `prefix/container/task`.
    pub stream: String,
    /// The group is made when it is missing.
    pub create_group: bool,
    /// Where messages of several lines begin.
    pub multiline: Option<Multiline>,
}

/// Where a container's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Into a stream of CloudWatch Logs.
    AwsLogs(AwsLogs),
    /// To a container of the same task, which routes it.
    Firelens(Routed),
    /// To a collector of Splunk.
    Splunk(Splunk),
}

impl LogOutput {
    /// The stream that the output goes to, where it is one of CloudWatch Logs.
    pub(crate) fn stream(&self) -> Option<&AwsLogs> {
        match self {
            Self::AwsLogs(logs) => Some(logs),
            Self::Firelens(_) | Self::Splunk(_) => None,
        }
    }

    /// The container that routes the output, by its index.
    pub(crate) fn router(&self) -> Option<usize> {
        match self {
            Self::Firelens(routed) => Some(routed.router),
            Self::AwsLogs(_) | Self::Splunk(_) => None,
        }
    }
}

/// What is wrong with log options.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LogOptionsError {
    /// Another driver.
    #[error("the log driver {0:?} is not supported")]
    Driver(String),
    /// An option the driver does not carry out.
    #[error("the log option {0:?} is not supported")]
    Option(String),
    /// An option that must be there.
    #[error("the log option {0:?} is missing")]
    Missing(&'static str),
    /// A value that makes no sense.
    #[error("{0}")]
    Wrong(String),
}

impl AwsLogs {
    /// Reads the options of a container. The region is this one whatever `awslogs-region` says, for a region reaches
    /// no other; `mode` and `max-buffer-size` are met by output going to disk first: the container never waits.
    pub fn read(
        options: &BTreeMap<String, String>,
        container: &str,
        task: &str,
    ) -> Result<Self, LogOptionsError> {
        const KNOWN: [&str; 8] = [
            "awslogs-group",
            "awslogs-region",
            "awslogs-stream-prefix",
            "awslogs-create-group",
            "awslogs-datetime-format",
            "awslogs-multiline-pattern",
            "mode",
            "max-buffer-size",
        ];
        if let Some(other) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(LogOptionsError::Option(other.clone()));
        }
        let get = |name: &'static str| {
            options.get(name).filter(|value| !value.is_empty()).ok_or(LogOptionsError::Missing(name))
        };
        Ok(Self {
            group: get("awslogs-group")?.clone(),
            stream: format!("{}/{container}/{task}", get("awslogs-stream-prefix")?),
            create_group: options.get("awslogs-create-group").is_some_and(|value| value == "true"),
            multiline: Multiline::read(options).map_err(LogOptionsError::Wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let mut options = BTreeMap::from([
            ("awslogs-group".to_owned(), "/g".to_owned()),
            ("awslogs-stream-prefix".to_owned(), "p".to_owned()),
            ("awslogs-create-group".to_owned(), "true".to_owned()),
        ]);
        let logs = AwsLogs::read(&options, "web", "t").expect("reads");
        assert_eq!((logs.group.as_str(), logs.stream.as_str(), logs.create_group), ("/g", "p/web/t", true));
        options.insert("awslogs-stream".to_owned(), "x".to_owned());
        assert!(matches!(AwsLogs::read(&options, "web", "t"), Err(LogOptionsError::Option(_))));
        let none = BTreeMap::new();
        assert_eq!(AwsLogs::read(&none, "web", "t"), Err(LogOptionsError::Missing("awslogs-group")));
    }
}
