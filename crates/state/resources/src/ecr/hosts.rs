//! The names of the region's registry.

use identifiers::AccountId;

/// The names of the region's own registry, which tell its images from those of others.
#[derive(Clone, Debug, Default)]
pub struct RegistryHosts(Vec<String>);

impl RegistryHosts {
    /// Hosts with their ports, such as `localhost:4566`. A name that begins with a dot is the end of many:
    /// `.dkr.ecr.us-east-1.amazonaws.com` stands for the registries of all accounts there.
    pub fn new(hosts: Vec<String>) -> Self {
        Self(hosts)
    }

    /// The names, as they were given.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether an image comes from the region's private registry, which asks for credentials.
    pub fn have(&self, image: &str) -> bool {
        let Some((host, path)) = image.split_once('/') else { return false };
        if path.split('/').next() == Some(super::PUBLIC_PATH) {
            return false;
        }
        self.0.iter().any(|own| {
            if !own.starts_with('.') {
                return own == host;
            }
            host.strip_suffix(own.as_str()).is_some_and(|account| account.parse::<AccountId>().is_ok())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_the_region() {
        let names =
            ["localhost:4566", ".dkr.ecr.us-east-1.localhost:4566", ".dkr.ecr.us-east-1.amazonaws.com"];
        let hosts = RegistryHosts::new(names.map(str::to_owned).to_vec());
        for (image, own) in [
            ("localhost:4566/web:1", true),
            ("localhost:4566/public--ecr/a0000000/web:1", false),
            ("public.ecr.localhost:4566/a0000000/web:1", false),
            ("123456789012.dkr.ecr.us-east-1.localhost:4566/a/web", true),
            ("210987654321.dkr.ecr.us-east-1.amazonaws.com/web", true),
            ("123456789012.dkr.ecr.eu-west-1.localhost:4566/web", false),
            ("123456789012.dkr.ecr.us-east-1.evil.example/web", false),
            ("evil.dkr.ecr.us-east-1.amazonaws.com/web", false),
            (".dkr.ecr.us-east-1.amazonaws.com/web", false),
            ("localhost:5000/web", false),
            ("web", false),
        ] {
            assert_eq!(hosts.have(image), own, "{image}");
        }
    }
}
