//! AddListenerCertificates, RemoveListenerCertificates and DescribeListenerCertificates.

use crate::errors::{Failure, other, validation};
use crate::retry::retrying;
use crate::shapes::{
    AddListenerCertificatesInput, AddListenerCertificatesOutput, Certificate,
    DescribeListenerCertificatesInput, DescribeListenerCertificatesOutput, RemoveListenerCertificatesInput,
    RemoveListenerCertificatesOutput, errors,
};
use crate::{ElbV2Service, certificates, paging};
use aws_wire::RequestContext;
use resources::elb::{Listener, ListenerCertificate};

pub(crate) async fn add_listener_certificates(
    service: &ElbV2Service,
    context: &RequestContext,
    input: AddListenerCertificatesInput,
) -> Result<AddListenerCertificatesOutput, Failure> {
    let added = retrying!(add(service, context, &input))?;
    let shown = added.into_iter().map(|own| shown(&own, false)).collect();
    Ok(AddListenerCertificatesOutput { certificates: Some(shown) })
}

async fn add(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &AddListenerCertificatesInput,
) -> Result<Vec<ListenerCertificate>, Failure> {
    let old = secure_listener(service, context, &input.listener_arn).await?;
    if input.certificates.is_empty() {
        return Err(validation("A certificate must be specified"));
    }
    let given = service.certificates(context, &input.certificates).await?;
    let mut new = Listener::clone(&old);
    let mut batch = service.tables.batch();
    for (own, row) in &given {
        if !new.certificates.contains(own) {
            new.certificates.push(own.clone());
        }
        batch = batch.require_exists(row);
    }
    if new.certificates.len() > certificates::MOST + 1 {
        return Err(other(
            &errors::TOO_MANY_CERTIFICATES_EXCEPTION,
            format_args!("The listener cannot have more than {} certificates", certificates::MOST),
        ));
    }
    batch.replace(&old, &new).commit().await?;
    Ok(given.into_iter().map(|(own, _)| own).collect())
}

pub(crate) async fn remove_listener_certificates(
    service: &ElbV2Service,
    context: &RequestContext,
    input: RemoveListenerCertificatesInput,
) -> Result<RemoveListenerCertificatesOutput, Failure> {
    retrying!(remove(service, context, &input))?;
    Ok(RemoveListenerCertificatesOutput::default())
}

async fn remove(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &RemoveListenerCertificatesInput,
) -> Result<(), Failure> {
    let old = secure_listener(service, context, &input.listener_arn).await?;
    let mut new = Listener::clone(&old);
    for given in &input.certificates {
        let arn = given.certificate_arn.as_deref().unwrap_or_default();
        if old.certificates.first().is_some_and(|default| default.arn == arn) {
            return Err(other(
                &errors::OPERATION_NOT_PERMITTED_EXCEPTION,
                format_args!("Default certificate '{arn}' cannot be removed"),
            ));
        }
        new.certificates.retain(|own| own.arn != arn);
    }
    service.tables.replace(&old, new).await?;
    Ok(())
}

async fn secure_listener(
    service: &ElbV2Service,
    context: &RequestContext,
    arn: &str,
) -> Result<store::Versioned<Listener>, Failure> {
    let listener = service.listener(context, arn).await?;
    if listener.protocol.is_secure() {
        Ok(listener)
    } else {
        Err(validation(format_args!(
            "Certificates cannot be specified for {} listeners",
            listener.protocol.as_str()
        )))
    }
}

pub(crate) async fn describe_listener_certificates(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeListenerCertificatesInput,
) -> Result<DescribeListenerCertificatesOutput, Failure> {
    let listener = service.listener(context, &input.listener_arn).await?;
    let (rows, next_marker) =
        paging::cut(listener.certificates.clone(), input.marker.as_deref(), input.page_size, |own| {
            own.arn.clone()
        })?;
    let default = listener.certificates.first();
    let certificates = rows.iter().map(|own| shown(own, default == Some(own))).collect();
    Ok(DescribeListenerCertificatesOutput { certificates: Some(certificates), next_marker })
}

fn shown(own: &ListenerCertificate, is_default: bool) -> Certificate {
    Certificate { certificate_arn: Some(own.arn.clone()), is_default: Some(is_default) }
}
