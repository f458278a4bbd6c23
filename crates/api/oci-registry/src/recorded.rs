//! The record of a request, as the call of ECR that it stands for. It is written when the request goes, so that a client
//! which does not wait for its answer is on record, too.

use crate::error::RegistryError;
use crate::respond::{DIGEST, Response};
use crate::route::{Query, Resource};
use crate::{Inner, Place, auth, public};
use access::{Caller, CallerKind};
use audit_log::{AuditLog, Event};
use http::request::Parts;
use http::{Method, header};
use resources::ecr::given_name;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Most characters of texts that a client chooses.
const MOST_TEXT: usize = 1024;
/// The calls that change nothing.
const READING: &[&str] =
    &["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "ListImages"];

/// A request that will be recorded, once it is known who asks for what.
pub(crate) struct RecordedCall<'a> {
    registry: &'a Inner,
    audit: &'a AuditLog,
    parts: &'a Parts,
    request_id: &'a str,
    call: Option<Call>,
    elements: Option<Value>,
    /// Code and message; a request that has not come to an end was left by its client.
    error: Option<(String, String)>,
}

struct Call {
    caller: Caller,
    public: bool,
    name: &'static str,
    repository: String,
    arn: String,
    parameters: Value,
}

impl<'a> RecordedCall<'a> {
    /// A call that is recorded when this is dropped; `None` where nobody wants to know.
    pub(crate) fn new(registry: &'a Inner, parts: &'a Parts, request_id: &'a str) -> Option<Self> {
        let audit = registry.config.audit.as_ref()?;
        let (code, message) = audit_log::DISCONNECTED;
        let error = Some((code.to_owned(), message.to_owned()));
        Some(Self { registry, audit, parts, request_id, call: None, elements: None, error })
    }

    /// It is known who asks for what.
    pub(crate) fn asks(&mut self, caller: &Caller, place: &Place, resource: &Resource, query: &Query) {
        let Some(name) = name_of(resource, &self.parts.method, query) else { return };
        if caller.kind == CallerKind::Anonymous {
            // As on AWS nobody keeps a record of pulls that need no credentials.
            return;
        }
        self.call = Some(Call {
            caller: caller.clone(),
            name,
            public: public::is_public(place),
            repository: given_name(&place.name).to_owned(),
            arn: auth::arn_of(&self.registry.config.region, place),
            parameters: parameters(place, resource, query),
        });
    }

    /// The request has come to its end.
    pub(crate) fn ended(&mut self, answered: Result<&Response, &RegistryError>) {
        self.error = answered.err().and_then(|error| {
            let code = code_of(error, &self.parts.method)?;
            Some((code.to_owned(), error.to_string().chars().take(MOST_TEXT).collect()))
        });
        if let (Ok(response), Some(call)) = (answered, &self.call) {
            let digest = response.headers().get(DIGEST).and_then(|digest| digest.to_str().ok());
            self.elements = digest.and_then(|digest| elements(call, digest));
        }
    }

    fn record(&self, call: &Call) {
        let text = |name| self.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let agent: String = text(header::USER_AGENT).unwrap_or_default().chars().take(MOST_TEXT).collect();
        let peer = self.parts.extensions.get::<SocketAddr>();
        let address = peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
        let (source, kind) = if call.public {
            ("ecr-public.amazonaws.com", "AWS::ECR::PublicRepository")
        } else {
            ("ecr.amazonaws.com", "AWS::ECR::Repository")
        };
        let resource = |name| audit_log::Resource { kind, name };
        self.audit.record(&Event {
            time: self.registry.tables.environment().now(),
            source,
            name: call.name,
            region: self.registry.config.region.as_str(),
            account: call.caller.account.as_str(),
            identity: access::identity(&call.caller, ""),
            source_address: &address,
            user_agent: &agent,
            error: self.error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
            request_parameters: Some(&call.parameters.to_string()),
            response_elements: self.elements.as_ref().map(Value::to_string).as_deref(),
            request_id: self.request_id,
            read_only: READING.contains(&call.name),
            resources: &[resource(&call.arn), resource(&call.repository)],
            ..Event::default()
        });
    }
}

impl Drop for RecordedCall<'_> {
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            self.record(call);
        }
    }
}

/// The call of ECR that a request stands for: of those it needs permission for, the last. Asking how far an upload is,
/// and giving it up, are none.
fn name_of(resource: &Resource, method: &Method, query: &Query) -> Option<&'static str> {
    if matches!(resource, Resource::Upload(_)) && !matches!(*method, Method::PATCH | Method::PUT) {
        return None;
    }
    auth::actions(resource, method, query).last()?.strip_prefix("ecr:")
}

fn parameters(place: &Place, resource: &Resource, query: &Query) -> Value {
    let mut parameters = json!({"registryId": place.account, "repositoryName": given_name(&place.name)});
    let short = |text: &str| -> String { text.chars().take(MOST_TEXT).collect() };
    let layer = |digest: &str| json!([short(digest)]);
    match resource {
        Resource::Manifest(reference) => parameters["imageIds"] = json!([image_id(&short(reference))]),
        Resource::Referrers(digest) => parameters["imageIds"] = json!([image_id(&short(digest))]),
        Resource::Blob(digest) => parameters["layerDigests"] = layer(digest),
        Resource::Upload(id) => parameters["uploadId"] = json!(short(id)),
        Resource::Uploads | Resource::Tags | Resource::Base | Resource::Catalog => {}
    }
    if let (Some(digest), Resource::Upload(_) | Resource::Uploads) =
        (query.get("digest").or(query.get("mount")), resource)
    {
        parameters["layerDigests"] = layer(digest);
    }
    parameters
}

fn image_id(reference: &str) -> Value {
    let kind = if reference.contains(':') { "imageDigest" } else { "imageTag" };
    json!({kind: reference})
}

/// What came of a call that changes something.
fn elements(call: &Call, digest: &str) -> Option<Value> {
    let (registry, repository) = (&call.parameters["registryId"], &call.repository);
    match call.name {
        "PutImage" => {
            let mut id = call.parameters["imageIds"][0].clone();
            id["imageDigest"] = json!(digest);
            Some(json!({"image": {"registryId": registry, "repositoryName": repository, "imageId": id}}))
        }
        "CompleteLayerUpload" => {
            Some(json!({"registryId": registry, "repositoryName": repository, "layerDigest": digest}))
        }
        _ => None,
    }
}

/// The code of ECR for a failure. ECR answers what is not there without an error.
fn code_of(error: &RegistryError, method: &Method) -> Option<&'static str> {
    Some(match error {
        RegistryError::ManifestUnknown(_) => return None,
        RegistryError::BlobUnknown(_) if *method == Method::HEAD => return None,
        RegistryError::Denied(_) | RegistryError::Unauthorized | RegistryError::TokenWanted(_) => {
            "AccessDenied"
        }
        RegistryError::NameUnknown(_) | RegistryError::RepositoryGone => "RepositoryNotFoundException",
        RegistryError::BlobUnknown(_) | RegistryError::ManifestBlobUnknown(_) => "LayersNotFoundException",
        RegistryError::TagImmutable(_) => "ImageTagAlreadyExistsException",
        RegistryError::DigestInvalid(_) => "InvalidLayerException",
        RegistryError::UploadUnknown => "UploadNotFoundException",
        RegistryError::UploadInvalid(_) | RegistryError::OutOfOrder(_) => "InvalidLayerPartException",
        RegistryError::TooMany(_) => "LimitExceededException",
        RegistryError::Upstream(_) => "UnableToAccessPullThroughCacheUpstream",
        RegistryError::StorageFull | RegistryError::Internal(_) => "ServerException",
        RegistryError::NameInvalid(_)
        | RegistryError::NoResource
        | RegistryError::Unsupported
        | RegistryError::ManifestInvalid(_)
        | RegistryError::ManifestTooLarge(_)
        | RegistryError::TagInvalid(_)
        | RegistryError::SizeInvalid(_)
        | RegistryError::PageInvalid(_)
        | RegistryError::BlobInUse
        | RegistryError::Range(_) => "InvalidParameterException",
    })
}
