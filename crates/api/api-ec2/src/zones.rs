//! Availability zones: three of them, on one machine.

use identifiers::Region;
pub(crate) use virtual_networks::ZONES;

/// `us-east-1a`
pub(crate) fn name(region: &Region, letter: &str) -> String {
    format!("{region}{letter}")
}

/// `use1-az1`, as AWS shortens the names of its regions.
pub(crate) fn id(region: &Region, letter: &str) -> String {
    let number = ZONES.iter().position(|zone| *zone == letter).map_or(0, |place| place + 1);
    format!("{}-az{number}", short(region.as_str()))
}

/// The letter of a zone by its name or its id.
pub(crate) fn letter(region: &Region, given: &str) -> Option<&'static str> {
    ZONES.into_iter().find(|zone| name(region, zone) == given || id(region, zone) == given)
}

fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letters = match part {
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            other if other.starts_with(|c: char| c.is_ascii_digit()) => other,
            other => other.get(..1).unwrap_or_default(),
        };
        short.push_str(letters);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids() {
        let region = |name: &str| name.parse::<Region>().expect("a region");
        assert_eq!(id(&region("us-east-1"), "a"), "use1-az1");
        assert_eq!(id(&region("ap-southeast-2"), "c"), "apse2-az3");
        assert_eq!(letter(&region("eu-central-1"), "eu-central-1b"), Some("b"));
        assert_eq!(letter(&region("eu-central-1"), "euc1-az3"), Some("c"));
        assert_eq!(letter(&region("eu-central-1"), "eu-central-1d"), None);
    }
}
