//! Public repositories over a store in memory.

use super::*;
use aws_wire::{RequestContext, ServiceError};
use blob_store::BlobStore;
use encryption::KeyRing;
use environment::Environment;
use resources::ecr::{Repository, public_alias};
use std::net::{IpAddr, Ipv4Addr};
use store::MemoryStore;

fn fixture(resolves: bool) -> (EcrPublicService, RequestContext, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let access = Access::new(tables.clone(), KeyRing::in_memory(environment.clone()));
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    let blobs = BlobStore::local(dir.path(), environment).expect("opens");
    (EcrPublicService::new(ImageRegistry::new(tables, blobs), access, 4566, resolves), context, dir)
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.err().expect("an error").shape.name
}

fn create(name: &str) -> CreateRepositoryRequest {
    CreateRepositoryRequest { repository_name: name.into(), ..CreateRepositoryRequest::default() }
}

#[tokio::test]
async fn addresses_are_those_that_work_where_the_caller_is() {
    let alias = public_alias(&"123456789012".parse().expect("an account"));
    for (resolves, host, expected) in [
        (true, "localhost:4566", "public.ecr.localhost:4566/ALIAS/app"),
        (true, "127.0.0.1:4566", "public.ecr.localhost:4566/ALIAS/app"),
        (true, "[::1]:4566", "public.ecr.localhost:4566/ALIAS/app"),
        (false, "localhost:4566", "localhost:4566/public--ecr/ALIAS/app"),
        (false, "public.ecr.localhost:4566", "public.ecr.localhost:4566/ALIAS/app"),
        (true, "region.example:80", "region.example:80/public--ecr/ALIAS/app"),
        (true, "region.example", "region.example/public--ecr/ALIAS/app"),
    ] {
        let (service, context, _dir) = fixture(resolves);
        let context = RequestContext { host: host.into(), ..context };
        let made = service.create_repository(&context, create("app")).await.expect("creates");
        let uri = made.repository.and_then(|made| made.repository_uri);
        assert_eq!(uri, Some(expected.replace("ALIAS", &alias)), "{host}");
    }
}

#[tokio::test]
async fn public_and_private_repositories_of_one_name_are_two() {
    let (service, context, _dir) = fixture(true);
    let private = Repository::new(context.account.clone(), "app", context.time);
    service.tables.create(private).await.expect("creates");
    let made = service.create_repository(&context, create("app")).await.expect("creates").repository;
    let arn = made.and_then(|made| made.repository_arn);
    assert_eq!(arn.as_deref(), Some("arn:aws:ecr-public::123456789012:repository/app"));
    assert_eq!(
        code(service.create_repository(&context, create("app")).await),
        "RepositoryAlreadyExistsException"
    );
    let listed = service.describe_repositories(&context, DescribeRepositoriesRequest::default()).await;
    assert_eq!(listed.expect("lists").repositories.map(|all| all.len()), Some(1));
    let delete = DeleteRepositoryRequest { repository_name: "app".into(), ..Default::default() };
    service.delete_repository(&context, delete).await.expect("deletes");
    assert!(service.tables.get::<Repository>("123456789012/app").await.expect("reads").is_some());
}

#[tokio::test]
async fn registries_have_numbers_and_aliases() {
    let (service, context, _dir) = fixture(true);
    service.create_repository(&context, create("app")).await.expect("creates");
    let alias = public_alias(&context.account);
    for registry in ["123456789012", &alias] {
        let start = InitiateLayerUploadRequest {
            registry_id: Some(registry.to_owned()),
            repository_name: "app".into(),
        };
        service.initiate_layer_upload(&context, start).await.expect("starts");
    }
    let start = |registry: &str| InitiateLayerUploadRequest {
        registry_id: Some(registry.to_owned()),
        repository_name: "app".into(),
    };
    assert_eq!(
        code(service.initiate_layer_upload(&context, start("docker")).await),
        "RegistryNotFoundException"
    );
    assert_eq!(
        code(service.initiate_layer_upload(&context, start("210987654321")).await),
        "RepositoryNotFoundException"
    );
    let registries = service.describe_registries(&context, DescribeRegistriesRequest::default()).await;
    assert_eq!(registries.expect("describes").registries[0].aliases[0].name, alias);
}

#[tokio::test]
async fn what_is_told_of_a_repository() {
    let (service, context, _dir) = fixture(true);
    service.create_repository(&context, create("app")).await.expect("creates");
    let get = || GetRepositoryCatalogDataRequest { repository_name: "app".into(), registry_id: None };
    assert_eq!(
        code(service.get_repository_catalog_data(&context, get()).await),
        "RepositoryCatalogDataNotFoundException"
    );
    let put = |data| PutRepositoryCatalogDataRequest {
        repository_name: "app".into(),
        registry_id: None,
        catalog_data: data,
    };
    let logo = RepositoryCatalogDataInput {
        logo_image_blob: Some(vec![1]),
        ..RepositoryCatalogDataInput::default()
    };
    assert_eq!(
        code(service.put_repository_catalog_data(&context, put(logo)).await),
        "UnsupportedCommandException"
    );
    let told = RepositoryCatalogDataInput {
        description: Some("an app".into()),
        architectures: Some(vec!["ARM 64".into()]),
        ..RepositoryCatalogDataInput::default()
    };
    service.put_repository_catalog_data(&context, put(told)).await.expect("puts");
    let data = service.get_repository_catalog_data(&context, get()).await.expect("gets").catalog_data;
    let data = data.expect("is there");
    assert_eq!(data.description.as_deref(), Some("an app"));
    assert_eq!(data.architectures, Some(vec!["ARM 64".to_owned()]));
}
