//! UploadSigningCertificate, ListSigningCertificates, UpdateSigningCertificate and DeleteSigningCertificate.

use crate::entities::now;
use crate::errors::{Failure, no_such_entity, other, over_quota, validation};
use crate::paging::Paging;
use crate::shapes::{
    DeleteSigningCertificateRequest, ListSigningCertificatesRequest, ListSigningCertificatesResponse,
    SigningCertificate as Shown, StatusType, UpdateSigningCertificateRequest,
    UploadSigningCertificateRequest, UploadSigningCertificateResponse, errors,
};
use crate::{IamService, ids, quotas};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{SigningCertificate, User, key_of};
use store::Versioned;
use x509_cert::Certificate;
use x509_cert::der::DecodePem;

/// Characters of a certificate's id.
const ID_LENGTH: usize = 32;

pub(crate) async fn upload_signing_certificate(
    service: &IamService,
    context: &RequestContext,
    input: UploadSigningCertificateRequest,
) -> Result<UploadSigningCertificateResponse, Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    if Certificate::from_pem(input.certificate_body.trim()).is_err() {
        return Err(other(&errors::MALFORMED_CERTIFICATE_EXCEPTION, "Certificate is malformed."));
    }
    let there = certificates(service, &user).await?;
    if there.iter().any(|certificate| certificate.body.trim() == input.certificate_body.trim()) {
        return Err(other(
            &errors::DUPLICATE_CERTIFICATE_EXCEPTION,
            "The certificate is already associated with an IAM user.",
        ));
    }
    if there.len() >= quotas::SIGNING_CERTIFICATES_PER_USER {
        return Err(over_quota("CertificatesPerUser", quotas::SIGNING_CERTIFICATES_PER_USER));
    }
    let row = SigningCertificate {
        account: user.account.clone(),
        user: user.name.clone(),
        id: ids::of_length(service.environment(), "", ID_LENGTH),
        body: input.certificate_body,
        active: true,
        uploaded_at: now(context),
    };
    // The user must still be there, with no more certificates than were counted.
    let mut batch = service.tables.batch().create(&row).require_unchanged(&user);
    for certificate in &there {
        batch = batch.require_unchanged(certificate);
    }
    batch.commit().await?;
    Ok(UploadSigningCertificateResponse { certificate: shown(&row) })
}

pub(crate) async fn list_signing_certificates(
    service: &IamService,
    context: &RequestContext,
    input: ListSigningCertificatesRequest,
) -> Result<ListSigningCertificatesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let part = paging.cut(certificates(service, &user).await?, |row| row.key()).map(|row| shown(&row));
    Ok(ListSigningCertificatesResponse {
        certificates: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn update_signing_certificate(
    service: &IamService,
    context: &RequestContext,
    input: UpdateSigningCertificateRequest,
) -> Result<(), Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let active = match input.status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => return Err(validation("A certificate is made Active or Inactive.")),
    };
    let change =
        |row: &SigningCertificate| Ok::<_, Failure>(Some(SigningCertificate { active, ..row.clone() }));
    let updated = service.tables.update(&key(&user, &input.certificate_id), change).await?;
    updated.map(|_| ()).ok_or_else(|| not_found(&input.certificate_id))
}

pub(crate) async fn delete_signing_certificate(
    service: &IamService,
    context: &RequestContext,
    input: DeleteSigningCertificateRequest,
) -> Result<(), Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let row = service.tables.get::<SigningCertificate>(&key(&user, &input.certificate_id)).await?;
    let row = row.ok_or_else(|| not_found(&input.certificate_id))?;
    service.tables.delete(&row).await?;
    Ok(())
}

async fn certificates(
    service: &IamService,
    user: &User,
) -> Result<Vec<Versioned<SigningCertificate>>, Failure> {
    Ok(service.tables.list_all::<SigningCertificate>(&SigningCertificate::rows_of(user)).await?)
}

fn key(user: &User, id: &str) -> String {
    format!("{}/{id}", key_of(&user.account, &user.name))
}

fn not_found(id: &str) -> Failure {
    no_such_entity(format_args!("The Certificate with id {id} cannot be found."))
}

fn shown(row: &SigningCertificate) -> Shown {
    Shown {
        certificate_body: row.body.clone(),
        certificate_id: row.id.clone(),
        status: if row.active { StatusType::Active } else { StatusType::Inactive },
        upload_date: Some(row.uploaded_at),
        user_name: row.user.clone(),
    }
}
