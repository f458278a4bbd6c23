//! Pulls that succeed, and how many requests they take.

use crate::registry::{
    Auth, Fault, OCI_INDEX, PASSWORD, Registry, images, noise, options, tar, with_password,
};
use container_image::{
    Content, ImageConfig, LayerError, Limits, LocalRegistry, Platform, PullError, PullOptions, PullPolicy,
    build, push,
};
use environment::Environment;
use serde_json::json;
use std::time::Instant;

#[tokio::test]
async fn a_pushed_image_is_pulled() {
    let registry = Registry::start(Auth::Basic).await;
    let content = [Content::Bytes { path: "/bin/app".to_owned(), content: "hello".into(), mode: 0o755 }];
    let config = ImageConfig {
        entrypoint: vec!["/bin/app".to_owned()],
        user: Some("7".to_owned()),
        ..ImageConfig::default()
    };
    let built = build(&content, &config).expect("builds");
    let reference = registry.reference("team/app:v1");
    let auth = PullOptions { platform: None, ..with_password(PASSWORD) };
    let digest = push(&built, &reference, &auth, &Environment::real()).await.expect("pushes");
    assert_eq!(digest, built.digest);
    // Pushed again, no blob is sent.
    let uploads = registry.count("PUT blobs/uploads");
    push(&built, &reference, &auth, &Environment::real()).await.expect("pushes");
    assert_eq!(registry.count("PUT blobs/uploads"), uploads);
    assert!(push(&built, &reference, &options(), &Environment::real()).await.is_err(), "without password");

    let (_directory, images) = images(Limits::default()).await;
    let image = images.pull(&reference, &auth).await.expect("pulls");
    assert_eq!((&image.digest, &image.resolved), (&built.digest, &built.digest));
    assert_eq!(
        (image.config.entrypoint.as_slice(), image.config.user.as_deref()),
        (&["/bin/app".to_owned()][..], Some("7"))
    );
    assert_eq!(std::fs::read(image.layers[0].join("bin/app")).expect("there"), b"hello");
}

#[tokio::test]
async fn pulled_again_it_takes_one_small_request() {
    let registry = Registry::start(Auth::Basic).await;
    registry.image("app:v1", &[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    let (directory, images) = images(Limits::default()).await;
    let auth = with_password(PASSWORD);
    let first = images.pull(&registry.reference("app:v1"), &auth).await.expect("pulls");
    let before = registry.content.lock().log.len();
    let begun = Instant::now();
    let again = images.pull(&registry.reference("app:v1"), &auth).await.expect("pulls");
    println!("pulled again in {:?}", begun.elapsed());
    assert_eq!(again.layers, first.layers);
    assert_eq!(registry.content.lock().log[before..], ["HEAD manifests/v1"]);
    // Another process: the same.
    drop(images);
    let images = container_image::Images::open(directory.path(), Environment::real()).await.expect("opens");
    images.pull(&registry.reference("app:v1"), &auth).await.expect("pulls");
    assert_eq!(registry.count("GET"), 4, "manifest, configuration and two layers, once");
    // Without asking at all.
    let silent = PullOptions { policy: PullPolicy::IfMissing, ..auth.clone() };
    let before = registry.content.lock().log.len();
    images.pull(&registry.reference("app:v1"), &silent).await.expect("is here");
    assert_eq!(registry.content.lock().log.len(), before);

    // The tag moves: what is new is fetched, what is the same is not.
    let moved = registry.image("app:v1", &[tar(&[("a", b"1")]), tar(&[("b", b"3")])]);
    let image = images.pull(&registry.reference("app:v1"), &auth).await.expect("pulls");
    assert_eq!(image.digest.as_str(), moved.manifest);
    assert_eq!(registry.count("GET"), 7, "manifest, configuration and one layer more");
    let found = images.pull(&registry.reference("app:v1"), &silent).await.expect("is here");
    assert_eq!(found.digest.as_str(), moved.manifest);
}

#[tokio::test]
async fn bearer_tokens_are_fetched_once() {
    let registry = Registry::start(Auth::Bearer).await;
    registry.image("team/app:v1", &[tar(&[("a", b"1")])]);
    let (_directory, images) = images(Limits::default()).await;
    images.pull(&registry.reference("team/app:v1"), &with_password(PASSWORD)).await.expect("pulls");
    images.pull(&registry.reference("team/app:v1"), &with_password(PASSWORD)).await.expect("pulls");
    assert_eq!(registry.count("token"), 1);
    assert_eq!(registry.count("token scope=repository%3Ateam%2Fapp%3Apull&service=here"), 1);
    assert_eq!(registry.count("401"), 1);
    let refused = images.pull(&registry.reference("team/app:v1"), &options()).await.expect_err("no password");
    assert!(matches!(refused, PullError::Resolve { attempts: 1, .. }), "{refused}");
}

#[tokio::test]
async fn the_platform_is_chosen_from_an_index() {
    let registry = Registry::start(Auth::None).await;
    let ours = registry.image_for("app:amd", &[tar(&[("a", b"amd")])], "amd64");
    let other = registry.image_for("app:arm", &[tar(&[("a", b"arm")])], "arm64");
    let entry = |digest: &str, architecture: &str| {
        json!({ "mediaType": crate::registry::OCI_MANIFEST, "digest": digest, "size": 1,
                "platform": { "os": "linux", "architecture": architecture } })
    };
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [entry(&other.manifest, "arm64"), entry(&ours.manifest, "amd64")] });
    let index = registry.manifest("app:v1", OCI_INDEX, &index);
    let (_directory, images) = images(Limits::default()).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert_eq!((image.digest.as_str(), image.resolved.as_str()), (ours.manifest.as_str(), index.as_str()));
    let before = registry.content.lock().log.len();
    let again = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert_eq!((again.digest, again.resolved), (image.digest, image.resolved));
    assert_eq!(registry.content.lock().log[before..], ["HEAD manifests/v1"]);

    let platform = |architecture: &str| PullOptions {
        platform: Some(Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }),
        ..options()
    };
    let arm = images.pull(&registry.reference("app:v1"), &platform("arm64")).await.expect("pulls");
    assert_eq!(arm.digest.as_str(), other.manifest);
    for reference in ["app:v1", "app:amd"] {
        let error =
            images.pull(&registry.reference(reference), &platform("s390x")).await.expect_err("no such");
        assert_eq!(
            error.to_string(),
            "image Manifest does not contain descriptor matching platform 'linux/s390x'"
        );
    }
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_ended() {
    let registry = Registry::start(Auth::None).await;
    let content = noise(300_000);
    let stored = registry.image("app:v1", &[tar(&[("a", &content)])]);
    registry.fault(&stored.layers[0], Fault::Cut { after: 90_000, times: 2 });
    registry.fault(&stored.config, Fault::Status { status: 503, times: 1 });
    let (_directory, images) = images(Limits::default()).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert_eq!(std::fs::read(image.layers[0].join("a")).expect("there"), content);
    assert_eq!(registry.count(&format!("GET blobs/{}", stored.layers[0])), 3);
}

#[tokio::test]
async fn blobs_may_be_elsewhere() {
    let registry = Registry::start(Auth::Basic).await;
    let elsewhere = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")])]);
    elsewhere.image("other:v1", &[tar(&[("a", b"1")])]);
    let location = format!("http://{}/v2/other/blobs/{}", elsewhere.host, stored.layers[0]);
    registry.fault(&stored.layers[0], Fault::Redirect(location.replace("localhost", "127.0.0.1")));
    let (_directory, images) = images(Limits::default()).await;
    images.pull(&registry.reference("app:v1"), &with_password(PASSWORD)).await.expect("pulls");
    assert_eq!(elsewhere.count("GET blobs/"), 1);
}

#[tokio::test]
async fn names_of_this_region_lead_to_its_registry() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", b"1")])]);
    let address = registry.host.replace("localhost", "127.0.0.1").parse().expect("an address");
    let host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let mapped = PullOptions {
        local_registries: vec![LocalRegistry { host: host.to_owned(), address, socket: None }],
        ..options()
    };
    let (_directory, images) = images(Limits::default()).await;
    let image = images.pull(&format!("{host}/app:v1"), &mapped).await.expect("pulls");
    assert_eq!(image.digest.as_str(), stored.manifest);
    let port = registry.host.split_once(':').expect("a port").1;
    let local = format!("123456789012.dkr.ecr.us-east-1.localhost:{port}/app@{}", stored.manifest);
    assert_eq!(images.pull(&local, &options()).await.expect("pulls").digest.as_str(), stored.manifest);
}

#[tokio::test]
async fn layers_are_packed_as_they_like() {
    let registry = Registry::start(Auth::None).await;
    let tars =
        [tar(&[("gzip", b"1")]), tar(&[("zstd", b"2")]), tar(&[("plain", b"3")]), tar(&[("notes", b"4")])];
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("compresses");
    // A frame of notes before the data, as tools for lazy pulls put their index.
    let noted = [&b"\x5a\x2a\x4d\x18\x04\0\0\0note"[..], &zstd(&tars[3])].concat();
    let oci = "application/vnd.oci.image.layer.v1.tar";
    let (zstd_type, docker) = (format!("{oci}+zstd"), "application/vnd.docker.image.rootfs.diff.tar.zstd");
    registry.image_of(
        "app:v1",
        &[
            // Compressed is what looks so, whatever it is called.
            (&tars[0], crate::registry::gzip(&tars[0]), oci),
            (&tars[1], zstd(&tars[1]), &zstd_type),
            (&tars[2], tars[2].clone(), oci),
            (&tars[3], noted, docker),
        ],
        "amd64",
    );
    let (_directory, images) = images(Limits::default()).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    for (index, name) in ["gzip", "zstd", "plain", "notes"].iter().enumerate() {
        assert!(image.layers[index].join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn zstd_bombs_and_windows_are_bounded() {
    use std::io::Write;
    let registry = Registry::start(Auth::None).await;
    let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
    let zeros = tar(&[("zeros", &vec![0u8; 64 << 20])]);
    let bomb = zstd::encode_all(zeros.as_slice(), 1).expect("compresses");
    assert!(bomb.len() < 64 << 10);
    registry.image_of("bomb:v1", &[(&zeros, bomb, kind)], "amd64");
    let (_directory, images) = images(Limits { unpacked_bytes: 16 << 20, ..Limits::default() }).await;
    let error = images.pull(&registry.reference("bomb:v1"), &options()).await.expect_err("too large");
    assert!(matches!(error, PullError::Extract { cause: LayerError::TooLarge { .. }, .. }), "{error}");

    let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    wide.window_log(28).expect("allowed");
    wide.write_all(&zeros[..10 << 10]).expect("compresses");
    registry.image_of("wide:v1", &[(&zeros, wide.finish().expect("ends"), kind)], "amd64");
    let error = images.pull(&registry.reference("wide:v1"), &options()).await.expect_err("too wide");
    assert!(error.to_string().contains("too much memory"), "{error}");
}

#[tokio::test]
async fn foreign_layers_are_not_fetched_from_elsewhere() {
    let registry = Registry::start(Auth::None).await;
    for kind in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let layer = tar(&[("a", kind.as_bytes())]);
        let stored = registry.image_of("app:v1", &[(&layer, crate::registry::gzip(&layer), kind)], "amd64");
        let (_directory, images) = images(Limits::default()).await;
        let gone = registry.content.lock().blobs.remove(&stored.layers[0]).expect("there");
        let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("not there");
        assert!(error.to_string().contains("is foreign"), "{error}");
        // Registries may have them all the same.
        registry.content.lock().blobs.insert(stored.layers[0].clone(), gone);
        images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    }
}
