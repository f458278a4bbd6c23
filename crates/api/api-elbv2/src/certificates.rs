//! Certificates of listeners: server certificates of IAM.

use crate::ElbV2Service;
use crate::errors::{Failure, other};
use crate::shapes::{Certificate, errors};
use aws_wire::RequestContext;
use resources::elb::ListenerCertificate;
use resources::iam::{ServerCertificate, key_of, name_of};
use store::Versioned;

/// Most certificates of a listener beside the default one.
pub(crate) const MOST: usize = 25;

impl ElbV2Service {
    /// The certificates that a request names, each of which is there.
    pub(crate) async fn certificates(
        &self,
        context: &RequestContext,
        given: &[Certificate],
    ) -> Result<Vec<(ListenerCertificate, Versioned<ServerCertificate>)>, Failure> {
        let mut found = Vec::new();
        for certificate in given {
            let arn = certificate.certificate_arn.as_deref().unwrap_or_default();
            let name = name_of(arn, &context.account, "server-certificate");
            let row = match name {
                Some(name) => self.tables.get::<ServerCertificate>(&key_of(&context.account, name)).await?,
                None => None,
            };
            let row = row.filter(|row| row.arn() == arn).ok_or_else(|| not_found(arn))?;
            found.push((ListenerCertificate { arn: arn.to_owned() }, row));
        }
        Ok(found)
    }
}

fn not_found(arn: &str) -> Failure {
    other(&errors::CERTIFICATE_NOT_FOUND_EXCEPTION, format_args!("Certificate '{arn}' not found"))
}
