//! Model names as Rust names.

/// Words of the language that are also member names.
const KEYWORDS: [&str; 13] =
    ["as", "async", "enum", "final", "fn", "match", "mod", "ref", "return", "self", "static", "type", "use"];

/// `clusterArn` to `cluster_arn`, `containerARNs` to `container_arns`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            out.push('_');
            continue;
        }
        let previous = index.checked_sub(1).map(|i| chars[i]);
        let next_is_lower = chars.get(index + 1).is_some_and(char::is_ascii_lowercase)
            && !(chars.get(index + 1) == Some(&'s')
                && chars.get(index + 2).is_none_or(char::is_ascii_uppercase));
        let boundary = c.is_ascii_uppercase()
            && previous.is_some_and(|p| {
                p.is_ascii_lowercase() || p.is_ascii_digit() || (p.is_ascii_uppercase() && next_is_lower)
            });
        if boundary {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A member name as a field name.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// `RunTaskRequest` to `RUN_TASK_REQUEST`.
pub(crate) fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// A shape name as a type name.
pub(crate) fn type_name(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// An enum value such as `SCAN_ON_PUSH`, `awsvpc` or `a:b` as a variant name.
pub(crate) fn variant(value: &str) -> String {
    let mut out = String::new();
    for word in value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let shouting = word.chars().all(|c| !c.is_ascii_lowercase());
        let mut chars = word.chars();
        if let Some(first) = chars.next() {
            out.push(first.to_ascii_uppercase());
            let rest = chars.as_str();
            out.push_str(&if shouting { rest.to_ascii_lowercase() } else { rest.to_owned() });
        }
    }
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit()) { format!("V{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names() {
        assert_eq!(snake("clusterArn"), "cluster_arn");
        assert_eq!(snake("containerARNs"), "container_arns");
        assert_eq!(snake("containerInstanceARN"), "container_instance_arn");
        assert_eq!(snake("DHCPOptions"), "dhcp_options");
        assert_eq!(field("type"), "r#type");
        assert_eq!(constant("RunTaskRequest"), "RUN_TASK_REQUEST");
        assert_eq!(variant("SCAN_ON_PUSH"), "ScanOnPush");
        assert_eq!(variant("awsvpc"), "Awsvpc");
        assert_eq!(variant("FARGATE"), "Fargate");
        assert_eq!(variant("1.4"), "V14");
    }
}
