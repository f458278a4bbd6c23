//! Options of the awslogs driver.

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
}

impl AwsLogs {
    /// Reads the options of a container. The region is this one whatever `awslogs-region` says, for a region reaches
    /// no other; `mode` and `max-buffer-size` are met by output going to disk first: the container never waits.
    pub fn read(
        options: &BTreeMap<String, String>,
        container: &str,
        task: &str,
    ) -> Result<Self, LogOptionsError> {
        const KNOWN: [&str; 6] = [
            "awslogs-group",
            "awslogs-region",
            "awslogs-stream-prefix",
            "awslogs-create-group",
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
        options.insert("awslogs-multiline-pattern".to_owned(), "x".to_owned());
        assert!(matches!(AwsLogs::read(&options, "web", "t"), Err(LogOptionsError::Option(_))));
        let none = BTreeMap::new();
        assert_eq!(AwsLogs::read(&none, "web", "t"), Err(LogOptionsError::Missing("awslogs-group")));
    }
}
