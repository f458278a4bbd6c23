//! UploadServerCertificate, GetServerCertificate, ListServerCertificates, UpdateServerCertificate and
//! DeleteServerCertificate.

use crate::entities::now;
use crate::errors::{Failure, already_exists, delete_conflict, other};
use crate::paging::Paging;
use crate::retry::retrying;
use crate::shapes::{
    DeleteServerCertificateRequest, GetServerCertificateRequest, GetServerCertificateResponse,
    ListServerCertificatesRequest, ListServerCertificatesResponse, ServerCertificate as Shown,
    ServerCertificateMetadata, UpdateServerCertificateRequest, UploadServerCertificateRequest,
    UploadServerCertificateResponse, errors,
};
use crate::{IamService, ids, quotas, tags};
use aws_wire::RequestContext;
use environment::Timestamp;
use resources::Stored;
use resources::elb::Listener;
use resources::iam::{ServerCertificate, key_of, rows_of};
use resources::sealed::{SealedText, Sealing};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

pub(crate) async fn upload_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: UploadServerCertificateRequest,
) -> Result<UploadServerCertificateResponse, Failure> {
    let certificate = Certificate::from_pem(input.certificate_body.trim()).map_err(|_| {
        malformed("Unable to parse certificate. Please ensure the certificate is in PEM format.")
    })?;
    check_key(&certificate, &input.private_key)?;
    if let Some(chain) = &input.certificate_chain {
        let chain = Certificate::load_pem_chain(chain.trim().as_bytes());
        if chain.map_or(true, |certificates| certificates.is_empty()) {
            return Err(malformed(
                "Unable to parse certificate chain. Please ensure the certificates are in PEM format.",
            ));
        }
    }
    let until = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    let row = ServerCertificate {
        account: context.account.clone(),
        name: input.server_certificate_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique(service.environment(), "ASCA"),
        body: input.certificate_body,
        chain: input.certificate_chain,
        sealed: SealedText::new(String::new()),
        uploaded_at: now(context),
        expires_at: Timestamp::from_seconds(i64::try_from(until).unwrap_or(i64::MAX)),
        tags: tags::new(input.tags)?,
    };
    let sealed = SealedText::new(service.keys.seal(&row.purpose(), input.private_key.as_bytes()));
    let row = ServerCertificate { sealed, ..row };
    let quota = ("ServerCertificatesPerAccount", quotas::SERVER_CERTIFICATES);
    if !service.create_counted(&context.account, &row, quota).await? {
        return Err(taken(&row.name));
    }
    Ok(UploadServerCertificateResponse {
        server_certificate_metadata: Some(metadata(&row)),
        tags: tags::shown_if_any(&row.tags),
    })
}

/// Refuses what is no private key, and one of another certificate.
fn check_key(certificate: &Certificate, pem: &str) -> Result<(), Failure> {
    let unreadable = || {
        malformed("Unable to parse private key. Please ensure the key is in PEM format and not encrypted.")
    };
    let key = PrivateKeyDer::from_pem_slice(pem.trim().as_bytes()).map_err(|_| unreadable())?;
    let key = any_supported_type(&key).map_err(|_| unreadable())?;
    let public = key.public_key().ok_or_else(unreadable)?;
    let certified = certificate.tbs_certificate.subject_public_key_info.to_der();
    if certified.is_ok_and(|certified| certified == *public) {
        return Ok(());
    }
    Err(other(
        &errors::KEY_PAIR_MISMATCH_EXCEPTION,
        "The public key certificate and the private key do not match.",
    ))
}

pub(crate) async fn get_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: GetServerCertificateRequest,
) -> Result<GetServerCertificateResponse, Failure> {
    let row = service.find::<ServerCertificate>(context, &input.server_certificate_name).await?;
    let server_certificate = Shown {
        certificate_body: row.body.clone(),
        certificate_chain: row.chain.clone(),
        server_certificate_metadata: metadata(&row),
        tags: tags::shown_if_any(&row.tags),
    };
    Ok(GetServerCertificateResponse { server_certificate })
}

pub(crate) async fn list_server_certificates(
    service: &IamService,
    context: &RequestContext,
    input: ListServerCertificatesRequest,
) -> Result<ListServerCertificatesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let prefix = input.path_prefix.unwrap_or_default();
    let rows = service.tables.list_all::<ServerCertificate>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|row| row.path.starts_with(&prefix));
    let part = paging.cut(rows, |row| row.key()).map(|row| metadata(&row));
    Ok(ListServerCertificatesResponse {
        server_certificate_metadata_list: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn update_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: UpdateServerCertificateRequest,
) -> Result<(), Failure> {
    retrying!(update(service, context, &input))
}

async fn update(
    service: &IamService,
    context: &RequestContext,
    input: &UpdateServerCertificateRequest,
) -> Result<(), Failure> {
    let old = service.find::<ServerCertificate>(context, &input.server_certificate_name).await?;
    let mut new = ServerCertificate::clone(&old);
    if let Some(path) = &input.new_path {
        new.path.clone_from(path);
    }
    if let Some(name) = &input.new_server_certificate_name {
        new.name.clone_from(name);
    }
    let batch = if new.key() == old.key() {
        service.tables.batch().replace(&old, &new)
    } else {
        let key = key_of(&context.account, &new.name);
        if service.tables.get::<ServerCertificate>(&key).await?.is_some() {
            return Err(taken(&new.name));
        }
        service.tables.batch().delete(&old).create(&new)
    };
    batch.commit().await?;
    Ok(())
}

pub(crate) async fn delete_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: DeleteServerCertificateRequest,
) -> Result<(), Failure> {
    let row = service.find::<ServerCertificate>(context, &input.server_certificate_name).await?;
    let arn = row.arn();
    let listeners = service.tables.list_all::<Listener>(&rows_of(&context.account)).await?;
    let user = listeners.iter().find(|own| own.certificates.iter().any(|certificate| certificate.arn == arn));
    if let Some(user) = user {
        return Err(delete_conflict(format_args!(
            "Certificate: {} is currently in use by {}. Please remove it first before deleting it from IAM.",
            row.id, user.load_balancer_arn
        )));
    }
    service.tables.delete(&row).await?;
    Ok(())
}

fn malformed(message: &'static str) -> Failure {
    other(&errors::MALFORMED_CERTIFICATE_EXCEPTION, message)
}

fn taken(name: &str) -> Failure {
    already_exists(format_args!("The Server Certificate with name {name} already exists."))
}

fn metadata(row: &ServerCertificate) -> ServerCertificateMetadata {
    ServerCertificateMetadata {
        arn: row.arn(),
        expiration: Some(row.expires_at),
        path: row.path.clone(),
        server_certificate_id: row.id.clone(),
        server_certificate_name: row.name.clone(),
        upload_date: Some(row.uploaded_at),
    }
}
