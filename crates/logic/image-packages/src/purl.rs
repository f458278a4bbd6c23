//! Package URLs.

use crate::{Distribution, Ecosystem, Package};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a package URL may hold as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

impl Package {
    /// The package URL, such as `pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12`.
    pub fn purl(&self, distribution: Option<&Distribution>) -> String {
        let system = distribution.map(|distribution| distribution.id.as_str());
        let (kind, namespace, name) = match self.ecosystem {
            Ecosystem::Deb => ("deb", system.or(Some("debian")), self.name.to_lowercase()),
            Ecosystem::Apk => ("apk", system.or(Some("alpine")), self.name.to_lowercase()),
            Ecosystem::Rpm => ("rpm", system, self.name.clone()),
            Ecosystem::Python => ("pypi", None, self.name.to_lowercase().replace('_', "-")),
            Ecosystem::Cargo => ("cargo", None, self.name.clone()),
            Ecosystem::Npm => match self.name.split_once('/') {
                Some((scope, name)) => ("npm", Some(scope), name.to_owned()),
                None => ("npm", None, self.name.clone()),
            },
            Ecosystem::Go => match self.name.rsplit_once('/') {
                Some((path, name)) => ("golang", Some(path), name.to_owned()),
                None => ("golang", None, self.name.clone()),
            },
            Ecosystem::Maven => match self.name.split_once(':') {
                Some((group, artifact)) => ("maven", Some(group), artifact.to_owned()),
                None => ("maven", None, self.name.clone()),
            },
        };
        let encoded = |text: &str| utf8_percent_encode(text, &PLAIN).to_string();
        let namespace = namespace
            .map(|namespace| namespace.split('/').map(|part| encoded(part) + "/").collect::<String>());
        let (epoch, version) = match self.version.split_once(':') {
            Some((epoch, version)) if self.ecosystem == Ecosystem::Rpm => (Some(epoch), version),
            _ => (None, self.version.as_str()),
        };
        let mut qualifiers = Vec::new();
        if self.ecosystem.is_distribution() {
            if let Some(architecture) = &self.architecture {
                qualifiers.push(format!("arch={}", encoded(architecture)));
            }
            if let Some(distribution) = distribution {
                let version = distribution.version.as_deref().map(|version| format!("-{version}"));
                let name = format!("{}{}", distribution.id, version.unwrap_or_default());
                qualifiers.push(format!("distro={}", encoded(&name)));
            }
            if let Some(epoch) = epoch {
                qualifiers.push(format!("epoch={}", encoded(epoch)));
            }
        }
        let query = if qualifiers.is_empty() { String::new() } else { format!("?{}", qualifiers.join("&")) };
        format!("pkg:{kind}/{}{}@{}{query}", namespace.unwrap_or_default(), encoded(&name), encoded(version))
    }
}
