//! The cases of the OCI distribution specification's four workflows: pull, push, content discovery, content management.

use super::*;
use blob_store::Algorithm;
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn json_of(body: &Bytes) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

fn code(body: &Bytes) -> String {
    json_of(body)["errors"][0]["code"].as_str().expect("a code").to_owned()
}

impl Fixture {
    async fn put_manifest(&self, reference: &str, manifest: &Value) -> (StatusCode, http::HeaderMap, Bytes) {
        let path = format!("/v2/app/manifests/{reference}");
        let media_type = manifest["mediaType"].as_str().unwrap_or(MANIFEST).to_owned();
        self.call(Method::PUT, &path, manifest.to_string().as_bytes(), &[("content-type", &media_type)]).await
    }

    /// An artifact of a type that refers to a subject.
    async fn artifact(&self, artifact_type: &str, subject: Option<&str>) -> Value {
        let empty = self.push_blob("app", b"{}").await.to_string();
        let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2}],
            "annotations": {"org.opencontainers.artifact.created": artifact_type}});
        if let Some(subject) = subject {
            manifest["subject"] = json!({"mediaType": MANIFEST, "digest": subject, "size": 100});
        }
        manifest
    }
}

fn digest_of(manifest: &Value) -> String {
    Digest::of(manifest.to_string().as_bytes()).to_string()
}

#[tokio::test]
async fn pull() {
    let f = fixture().await;
    let digest = f.push_image("app", "v1", b"layer").await;
    let nothing = Digest::of(b"never pushed");
    for kind in ["blobs", "manifests"] {
        for method in [Method::HEAD, Method::GET] {
            let path = format!("/v2/app/{kind}/{nothing}");
            assert_eq!(f.status(method, &path).await, StatusCode::NOT_FOUND, "{path}");
        }
        for malformed in ["sha256:xyz", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:AA", ":"] {
            let (status, _, body) = f.get(&format!("/v2/app/{kind}/{malformed}")).await;
            assert_eq!(
                (status, code(&body).as_str()),
                (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
                "{malformed}"
            );
        }
    }
    for reference in ["v1", &digest] {
        let path = format!("/v2/app/manifests/{reference}");
        let (status, headers, body) = f.call(Method::HEAD, &path, b"", &[]).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0));
        assert_eq!(headers["docker-content-digest"], digest);
        let (_, got, body) = f.get(&path).await;
        assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string());
        assert_eq!(
            (&got[header::CONTENT_TYPE], &headers[header::CONTENT_TYPE]),
            (&MANIFEST.parse().expect("text"), &got[header::CONTENT_TYPE])
        );
    }
    for reference in ["none", ".INVALID_MANIFEST_NAME", "no*tag"] {
        let (status, _, body) = f.get(&format!("/v2/app/manifests/{reference}")).await;
        assert_eq!(
            (status, code(&body).as_str()),
            (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            "{reference}"
        );
    }
    let (status, _, body) = f.get("/v2/none/manifests/v1").await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::NOT_FOUND, "NAME_UNKNOWN"));
    assert_eq!(f.status(Method::POST, "/v2/").await, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn ranges_and_conditions() {
    let f = fixture().await;
    let digest = f.push_blob("app", b"0123456789").await;
    let path = format!("/v2/app/blobs/{digest}");
    for (range, content, sent) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=7-99", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-99", "bytes 0-9/10", "0123456789"),
    ] {
        let (status, headers, body) = f.call(Method::GET, &path, b"", &[("range", range)]).await;
        assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, sent.as_bytes()), "{range}");
        assert_eq!(headers[header::CONTENT_RANGE], content);
        assert_eq!(headers[header::CONTENT_LENGTH], sent.len().to_string());
    }
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        let (status, headers, _) = f.call(Method::GET, &path, b"", &[("range", range)]).await;
        assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(headers[header::CONTENT_RANGE], "bytes */10");
    }
    for range in ["bytes=4-2", "bytes=0-1,4-5", "pages=1-2", "nonsense"] {
        let (status, _, body) = f.call(Method::GET, &path, b"", &[("range", range)]).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 10), "{range}");
    }
    let etag = format!("\"{digest}\"");
    let (_, headers, _) = f.get(&path).await;
    assert_eq!(headers[header::ETAG], etag);
    let same = [("range", "bytes=0-1"), ("if-range", etag.as_str())];
    assert_eq!(f.call(Method::GET, &path, b"", &same).await.0, StatusCode::PARTIAL_CONTENT);
    let changed = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(f.call(Method::GET, &path, b"", &changed).await.0, StatusCode::OK);
    let image = f.push_image("app", "v1", b"x").await;
    for (path, etag) in [(path.as_str(), etag.clone()), ("/v2/app/manifests/v1", format!("\"{image}\""))] {
        for known in [etag.clone(), format!("W/{etag}"), format!("\"a\", {etag}"), "*".to_owned()] {
            let (status, _, body) = f.call(Method::GET, path, b"", &[("if-none-match", &known)]).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        }
        let (status, ..) = f.call(Method::GET, path, b"", &[("if-none-match", "\"a\"")]).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn push_of_blobs() {
    let f = fixture().await;
    // Whole in one POST, in POST and PUT, in chunks with and without saying where; of no bytes, and by SHA-512.
    for content in [&b"content"[..], b""] {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::by(algorithm, content);
            let path = format!("/v2/app/blobs/uploads/?digest={digest}");
            let (status, headers, _) = f.call(Method::POST, &path, content, &[]).await;
            assert_eq!(status, StatusCode::CREATED);
            let location = headers[header::LOCATION].to_str().expect("text");
            assert_eq!(f.get(location).await.2, content);
            assert_eq!(f.status(Method::DELETE, location).await, StatusCode::ACCEPTED);
            assert_eq!(f.status(Method::GET, location).await, StatusCode::NOT_FOUND);
            let (status, headers, _) = f.call(Method::POST, "/v2/app/blobs/uploads/", b"", &[]).await;
            assert_eq!(status, StatusCode::ACCEPTED);
            assert!(headers.contains_key("docker-upload-uuid"));
            let location = headers[header::LOCATION].to_str().expect("text");
            let path = format!("{location}?digest={digest}");
            let (status, headers, _) = f.call(Method::PUT, &path, content, &[]).await;
            assert_eq!(status, StatusCode::CREATED);
            assert_eq!(headers["docker-content-digest"], digest.to_string());
            let (status, headers, _) =
                f.call(Method::HEAD, &format!("/v2/app/blobs/{digest}"), b"", &[]).await;
            assert_eq!(
                (status, &headers[header::CONTENT_LENGTH]),
                (StatusCode::OK, &content.len().to_string().parse().expect("text"))
            );
        }
    }
    let (_, headers, _) = f.call(Method::POST, "/v2/app/blobs/uploads/", b"", &[]).await;
    let location = headers[header::LOCATION].to_str().expect("text").to_owned();
    let (status, ..) = f.call(Method::PATCH, &location, b"second", &[("content-range", "5-10")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE, "out of order");
    for (range, chunk, now) in [("0-4", b"first"), ("5-9", b"secnd")].map(|(r, c)| (r, c, r)) {
        let (status, headers, _) = f.call(Method::PATCH, &location, chunk, &[("content-range", range)]).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(headers[header::RANGE], format!("0-{}", now.split_once('-').expect("a range").1));
    }
    let (status, ..) = f.call(Method::PATCH, &location, b"first", &[("content-range", "0-4")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE, "the same again");
    let path = format!("{location}?digest={}", Digest::of(b"firstsecndlast"));
    let (status, ..) = f.call(Method::PUT, &path, b"last", &[("content-range", "10-13")]).await;
    assert_eq!(status, StatusCode::CREATED);
    // A mount of what is there, and of what is not.
    let digest = f.push_blob("other", b"elsewhere").await;
    let (status, headers, _) =
        f.call(Method::POST, &format!("/v2/app/blobs/uploads/?mount={digest}&from=other"), b"", &[]).await;
    assert_eq!(
        (status, headers[header::LOCATION].to_str().ok()),
        (StatusCode::CREATED, Some(format!("/v2/app/blobs/{digest}").as_str()))
    );
    for from in ["&from=fixed", "", "&from=..%2f..", "&from=never"] {
        let missing = Digest::of(b"nowhere");
        let path = format!("/v2/app/blobs/uploads/?mount={missing}{from}");
        assert_eq!(f.status(Method::POST, &path).await, StatusCode::ACCEPTED, "{from}");
    }
}

#[tokio::test]
async fn push_of_manifests() {
    let f = fixture().await;
    let blob = f.push_blob("app", b"config").await.to_string();
    let manifest = |digest: &str, size: u64| {
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size}})
    };
    let good = manifest(&blob, 6);
    for tag in ["test0", "test1", "A_b.c-d", &"t".repeat(128)] {
        let (status, headers, _) = f.put_manifest(tag, &good).await;
        assert_eq!(status, StatusCode::CREATED, "{tag}");
        assert_eq!(headers["docker-content-digest"], digest_of(&good));
        assert!(!headers.contains_key("warning"));
    }
    assert_eq!(f.put_manifest(&digest_of(&good), &good).await.0, StatusCode::CREATED);
    let by_sha512 = Digest::by(Algorithm::Sha512, good.to_string().as_bytes()).to_string();
    let (status, headers, _) = f.put_manifest(&by_sha512, &good).await;
    assert_eq!(
        (status, headers["docker-content-digest"].to_str().ok()),
        (StatusCode::CREATED, Some(by_sha512.as_str()))
    );
    assert_eq!(f.status(Method::GET, &format!("/v2/app/manifests/{by_sha512}")).await, StatusCode::OK);
    for tag in ["-a", ".a", &"t".repeat(129), "a%20b", "\u{e9}"] {
        let (status, _, body) = f.put_manifest(&tag.replace('\u{e9}', "%C3%A9"), &good).await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::BAD_REQUEST, "TAG_INVALID"), "{tag}");
    }
    let missing = Digest::of(b"missing").to_string();
    for (document, expected) in [
        (manifest(&missing, 6), "MANIFEST_BLOB_UNKNOWN"),
        (manifest(&blob, 7), "SIZE_INVALID"),
        (manifest("sha256:short", 6), "MANIFEST_INVALID"),
        (json!({"schemaVersion": 1, "mediaType": MANIFEST}), "MANIFEST_INVALID"),
        (json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}), "MANIFEST_INVALID"),
        (
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": missing}]}),
            "MANIFEST_BLOB_UNKNOWN",
        ),
        (
            json!({"schemaVersion": 2, "mediaType": "application/vnd.unknown", "config": {}}),
            "MANIFEST_INVALID",
        ),
    ] {
        let (status, _, body) = f.put_manifest("bad", &document).await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::BAD_REQUEST, expected), "{document}");
    }
    let other = Digest::of(b"other").to_string();
    let (status, _, body) = f.put_manifest(&other, &good).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
    // Layers that are never pushed may be missing.
    let mut foreign = good.clone();
    foreign["layers"] = json!([
        {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": missing, "size": 9},
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": missing, "size": 9}]);
    assert_eq!(f.put_manifest("foreign", &foreign).await.0, StatusCode::CREATED);
    // One without its type is taken, with a warning.
    let mut silent = good.clone();
    silent.as_object_mut().expect("an object").remove("mediaType");
    let (status, headers, _) = f.put_manifest("silent", &silent).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(headers["warning"].to_str().expect("text").starts_with("299 - \""));
    // Just as large as it may be, and one byte more.
    let mut large = good.clone();
    large["annotations"] = json!({"a": ""});
    let room = image_registry::MOST_MANIFEST_BYTES - large.to_string().len();
    for (length, expected) in [(room, StatusCode::CREATED), (room + 1, StatusCode::PAYLOAD_TOO_LARGE)] {
        large["annotations"]["a"] = json!("x".repeat(length));
        assert_eq!(f.put_manifest("large", &large).await.0, expected);
    }
}

#[tokio::test]
async fn docker_and_oci_side_by_side_and_indexes_in_indexes() {
    let f = fixture().await;
    let blob = f.push_blob("app", b"config").await.to_string();
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": docker, "layers": [],
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": blob, "size": 6}});
    assert_eq!(f.put_manifest("docker", &manifest).await.0, StatusCode::CREATED);
    assert_eq!(f.get("/v2/app/manifests/docker").await.1[header::CONTENT_TYPE], docker);
    let oci = f.push_image("app", "oci", b"config").await;
    let child =
        |digest: &str, media_type: &str| json!({"mediaType": media_type, "digest": digest, "size": 1});
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let both = json!({"schemaVersion": 2, "mediaType": list,
        "manifests": [child(&digest_of(&manifest), docker), child(&oci, MANIFEST)]});
    assert_eq!(f.put_manifest("both", &both).await.0, StatusCode::CREATED);
    assert_eq!(f.get("/v2/app/manifests/both").await.1[header::CONTENT_TYPE], list);
    let mut inner = digest_of(&both);
    let mut refused = None;
    for depth in 1..20 {
        let outer = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child(&inner, INDEX)]});
        let (status, _, body) = f.put_manifest("deep", &outer).await;
        if status != StatusCode::CREATED {
            assert_eq!((status, code(&body).as_str()), (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"));
            refused = Some(depth);
            break;
        }
        inner = digest_of(&outer);
    }
    assert_eq!(refused, Some(8), "as deep as anybody follows them");
    // A cycle cannot be made: an index can only name what is there, by its digest.
    let own = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child(&Digest::of(b"itself").to_string(), INDEX)]});
    assert_eq!(code(&f.put_manifest("cycle", &own).await.2), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn discovery_of_tags() {
    let f = fixture().await;
    f.push_image("app", "a0", b"config").await;
    let manifest = f.get("/v2/app/manifests/a0").await.2;
    let mut tags = vec!["a0".to_owned()];
    for number in 0..2_500 {
        let tag = format!("t{number:05}");
        let (status, ..) = f.call(Method::PUT, &format!("/v2/app/manifests/{tag}"), &manifest, &[]).await;
        assert_eq!(status, StatusCode::CREATED);
        tags.push(tag);
    }
    let mut seen = Vec::new();
    let mut path = "/v2/app/tags/list".to_owned();
    let mut pages = 0;
    loop {
        let (status, headers, body) = f.get(&path).await;
        assert_eq!(status, StatusCode::OK);
        pages += 1;
        let page = json_of(&body);
        seen.extend(
            page["tags"].as_array().expect("a list").iter().map(|tag| tag.as_str().expect("text").to_owned()),
        );
        let Some(link) = headers.get(header::LINK) else { break };
        let link = link.to_str().expect("text");
        path = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link").0.to_owned();
        assert!(link.ends_with("; rel=\"next\""));
    }
    assert_eq!((pages, seen), (3, tags));
    for (query, expected) in [
        ("n=2", json!(["a0", "t00000"])),
        ("n=1&last=a0", json!(["t00000"])),
        ("n=0", json!([])),
        ("last=t02499", json!([])),
        ("n=1&last=b", json!(["t00000"])),
    ] {
        assert_eq!(
            json_of(&f.get(&format!("/v2/app/tags/list?{query}")).await.2)["tags"],
            expected,
            "{query}"
        );
    }
    assert_eq!(f.status(Method::GET, "/v2/app/tags/list?n=x").await, StatusCode::BAD_REQUEST);
    assert_eq!(f.status(Method::HEAD, "/v2/app/tags/list").await, StatusCode::OK);
    assert_eq!(f.status(Method::POST, "/v2/app/tags/list").await, StatusCode::METHOD_NOT_ALLOWED);
    let digest = Digest::of(&manifest);
    assert_eq!(f.status(Method::DELETE, &format!("/v2/app/manifests/{digest}")).await, StatusCode::ACCEPTED);
    assert_eq!(
        json_of(&f.get("/v2/app/tags/list").await.2)["tags"],
        json!([]),
        "an image goes with its tags"
    );
}

#[tokio::test]
async fn discovery_of_referrers() {
    let f = fixture().await;
    let subject = f.artifact("application/vnd.example.subject", None).await;
    let digest = digest_of(&subject);
    let path = format!("/v2/app/referrers/{digest}");
    let (status, headers, body) = f.get(&path).await;
    assert_eq!((status, &headers[header::CONTENT_TYPE]), (StatusCode::OK, &INDEX.parse().expect("text")));
    assert_eq!(json_of(&body), json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}));
    // Two refer to it before it is there: a signature and an SBOM.
    let signature = f.artifact("application/vnd.dev.cosign.artifact.sig.v1+json", Some(&digest)).await;
    let sbom = f.artifact("application/vnd.cyclonedx+json", Some(&digest)).await;
    for artifact in [&signature, &sbom] {
        let (status, headers, _) = f.put_manifest(&digest_of(artifact), artifact).await;
        assert_eq!(
            (status, headers["oci-subject"].to_str().ok()),
            (StatusCode::CREATED, Some(digest.as_str()))
        );
    }
    assert_eq!(f.status(Method::GET, &format!("/v2/app/manifests/{digest}")).await, StatusCode::NOT_FOUND);
    assert_eq!(f.put_manifest("subject", &subject).await.0, StatusCode::CREATED);
    // An index refers, and an image whose configuration's type is its kind (as Helm and notation have it).
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "artifactType": "application/vnd.cyclonedx+json",
        "subject": {"mediaType": MANIFEST, "digest": digest, "size": 1}});
    assert_eq!(f.put_manifest("index", &index).await.0, StatusCode::CREATED);
    let mut notation = f.artifact("", Some(&digest)).await;
    notation.as_object_mut().expect("an object").remove("artifactType");
    notation["config"]["mediaType"] = json!("application/vnd.cncf.notary.signature");
    assert_eq!(f.put_manifest("notation", &notation).await.0, StatusCode::CREATED);
    let (_, headers, body) = f.get(&path).await;
    assert!(!headers.contains_key("oci-filters-applied"));
    let listed = json_of(&body);
    assert_eq!(listed["manifests"].as_array().map(Vec::len), Some(4));
    let of_type = |artifact_type: &str| format!("{path}?artifactType={}", artifact_type.replace('+', "%2B"));
    for (artifact_type, count) in [
        ("application/vnd.cyclonedx+json", 2),
        ("application/vnd.cncf.notary.signature", 1),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", 1),
        ("application/vnd.none", 0),
    ] {
        let (_, headers, body) = f.get(&of_type(artifact_type)).await;
        assert_eq!(headers["oci-filters-applied"], "artifactType");
        let listed = json_of(&body);
        let listed = listed["manifests"].as_array().expect("a list");
        assert_eq!(listed.len(), count, "{artifact_type}");
        assert!(listed.iter().all(|entry| entry["artifactType"] == artifact_type));
    }
    let entry =
        &json_of(&f.get(&of_type("application/vnd.dev.cosign.artifact.sig.v1+json")).await.2)["manifests"][0];
    assert_eq!(entry["digest"], digest_of(&signature));
    assert_eq!(entry["size"], signature.to_string().len());
    assert_eq!(entry["annotations"], signature["annotations"]);
    let (_, headers, body) = f.get(&format!("{path}?n=3")).await;
    let next =
        headers[header::LINK].to_str().expect("text").split(['<', '>']).nth(1).expect("a link").to_owned();
    assert_eq!(json_of(&body)["manifests"].as_array().map(Vec::len), Some(3));
    assert_eq!(json_of(&f.get(&next).await.2)["manifests"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        f.status(Method::DELETE, &format!("/v2/app/manifests/{}", digest_of(&sbom))).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(json_of(&f.get(&path).await.2)["manifests"].as_array().map(Vec::len), Some(3));
    assert_eq!(f.status(Method::GET, "/v2/app/referrers/sha256:nonsense").await, StatusCode::BAD_REQUEST);
    assert_eq!(f.status(Method::PUT, &path).await, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn management() {
    let f = fixture().await;
    let digest = f.push_image("app", "v1", b"layer").await;
    f.push_image("app", "v2", b"layer").await;
    assert_eq!(f.status(Method::DELETE, "/v2/app/manifests/v1").await, StatusCode::ACCEPTED);
    assert_eq!(f.status(Method::DELETE, "/v2/app/manifests/v1").await, StatusCode::NOT_FOUND);
    assert_eq!(f.status(Method::GET, &format!("/v2/app/manifests/{digest}")).await, StatusCode::OK);
    assert_eq!(f.status(Method::DELETE, &format!("/v2/app/manifests/{digest}")).await, StatusCode::ACCEPTED);
    for reference in ["v2", digest.as_str()] {
        assert_eq!(
            f.status(Method::GET, &format!("/v2/app/manifests/{reference}")).await,
            StatusCode::NOT_FOUND
        );
    }
    let blob = format!("/v2/app/blobs/{}", Digest::of(b"layer"));
    assert_eq!(f.status(Method::DELETE, &blob).await, StatusCode::ACCEPTED, "no image needs it any more");
    assert_eq!(f.status(Method::DELETE, &blob).await, StatusCode::NOT_FOUND);
    for (method, path) in [
        (Method::PATCH, blob.as_str()),
        (Method::POST, "/v2/app/manifests/v1"),
        (Method::PUT, "/v2/app/blobs/uploads/"),
    ] {
        let (status, _, body) = f.call(method, path, b"", &[]).await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"), "{path}");
    }
    let (_, headers, body) = f.get("/v2/_catalog?n=2").await;
    assert_eq!(json_of(&body)["repositories"], json!(["app", "fixed"]));
    let next =
        headers[header::LINK].to_str().expect("text").split(['<', '>']).nth(1).expect("a link").to_owned();
    let (_, headers, body) = f.get(&next).await;
    assert_eq!(json_of(&body)["repositories"], json!(["other"]));
    assert!(!headers.contains_key(header::LINK));
    assert_eq!(json_of(&f.get("/v2/_catalog?n=0").await.2)["repositories"], json!([]));
}

#[tokio::test]
async fn two_pushers_of_one_tag_leave_one_of_both() {
    let f = std::sync::Arc::new(fixture().await);
    let pushers = (0..16u8).map(|number| {
        let f = f.clone();
        tokio::spawn(async move { f.push_image("app", "contested", &[number; 10]).await })
    });
    let mut pushed = Vec::new();
    for pusher in pushers.collect::<Vec<_>>() {
        pushed.push(pusher.await.expect("pushes"));
    }
    let (status, headers, _) = f.get("/v2/app/manifests/contested").await;
    assert_eq!(status, StatusCode::OK);
    assert!(pushed.iter().any(|digest| headers["docker-content-digest"] == *digest));
    for digest in pushed {
        assert_eq!(f.status(Method::GET, &format!("/v2/app/manifests/{digest}")).await, StatusCode::OK);
    }
}
