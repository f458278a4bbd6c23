//! Security policies of HTTPS and TLS listeners. What is older than TLS 1.2 is not spoken, so policies of AWS that allow it
//! are not offered; a listener's policy decides whether TLS 1.2 is spoken beside 1.3.

/// A security policy.
pub(crate) struct SslPolicy {
    pub(crate) name: &'static str,
    /// TLS 1.2 is spoken, too.
    pub(crate) with_tls12: bool,
}

/// The policy of a listener for which none is named.
pub(crate) const DEFAULT: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// Every policy that is offered.
pub(crate) const ALL: [SslPolicy; 5] = [
    SslPolicy { name: "ELBSecurityPolicy-TLS13-1-2-2021-06", with_tls12: true },
    SslPolicy { name: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", with_tls12: true },
    SslPolicy { name: "ELBSecurityPolicy-TLS13-1-3-2021-06", with_tls12: false },
    SslPolicy { name: "ELBSecurityPolicy-FS-1-2-Res-2020-10", with_tls12: true },
    SslPolicy { name: "ELBSecurityPolicy-TLS-1-2-2017-01", with_tls12: true },
];

/// The default of AWS for requests that name no policy; taken as an alias, because every template has it.
pub(crate) const OLD_DEFAULT: &str = "ELBSecurityPolicy-2016-08";

/// Suites of TLS 1.3, with their order.
const TLS13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
/// Suites of TLS 1.2.
const TLS12: [&str; 4] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];

impl SslPolicy {
    /// Versions that it allows.
    pub(crate) fn protocols(&self) -> Vec<&'static str> {
        if self.with_tls12 { vec!["TLSv1.2", "TLSv1.3"] } else { vec!["TLSv1.3"] }
    }

    /// Suites that are offered, the first preferred.
    pub(crate) fn ciphers(&self) -> Vec<&'static str> {
        let tls12: &[&str] = if self.with_tls12 { &TLS12 } else { &[] };
        TLS13.iter().chain(tls12).copied().collect()
    }
}

/// Whether a listener may have this policy.
pub(crate) fn is_offered(name: &str) -> bool {
    name == OLD_DEFAULT || ALL.iter().any(|policy| policy.name == name)
}
