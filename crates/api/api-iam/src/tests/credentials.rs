//! Access keys, passwords, certificates and the report on them.

use super::*;
use crate::shapes::*;
use resources::access::{AccessKey, KeyUse};

#[tokio::test]
async fn a_user_has_two_keys_and_shows_a_secret_once() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let ann = by_user(&context, "ann");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let key = service.create_access_key(&ann, CreateAccessKeyRequest::default()).await.expect("creates");
        assert_eq!((key.access_key.user_name.as_str(), key.access_key.secret_access_key.len()), ("ann", 40));
        ids.push(key.access_key.access_key_id);
    }
    assert_eq!(
        refused(service.create_access_key(&ann, CreateAccessKeyRequest::default()).await),
        ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2".to_owned())
    );
    let off = UpdateAccessKeyRequest {
        access_key_id: ids[0].clone(),
        status: StatusType::Inactive,
        user_name: Some("ann".into()),
    };
    service.update_access_key(&context, off).await.expect("updates");
    let list = service.list_access_keys(&ann, ListAccessKeysRequest::default()).await.expect("lists");
    let states: Vec<_> = list.access_key_metadata.iter().map(|key| key.status).collect();
    assert_eq!(states, [Some(StatusType::Inactive), Some(StatusType::Active)]);
    let other = DeleteAccessKeyRequest { access_key_id: ids[1].clone(), user_name: Some("bob".into()) };
    assert_eq!(code(service.delete_access_key(&context, other).await), "NoSuchEntity");
    user(&service, &context, "bob").await;
    let other = DeleteAccessKeyRequest { access_key_id: ids[1].clone(), user_name: Some("bob".into()) };
    assert_eq!(
        refused(service.delete_access_key(&context, other).await).1,
        format!("The Access Key with id {} cannot be found.", ids[1])
    );
}

#[tokio::test]
async fn the_last_use_of_a_key_is_told() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let key = CreateAccessKeyRequest { user_name: Some("ann".into()) };
    let id = service.create_access_key(&context, key).await.expect("creates").access_key.access_key_id;
    let ask = GetAccessKeyLastUsedRequest { access_key_id: id.clone() };
    let unused = service.get_access_key_last_used(&context, ask.clone()).await.expect("tells");
    assert_eq!(unused.user_name.as_deref(), Some("ann"));
    let unused = unused.access_key_last_used.expect("is shown");
    assert_eq!((unused.last_used_date, unused.service_name.as_str()), (None, "N/A"));
    let used = KeyUse {
        access_key_id: id,
        used_at: context.time,
        service: "ecs".into(),
        region: "us-east-1".into(),
    };
    service.tables.create(used).await.expect("writes");
    let used = service.get_access_key_last_used(&context, ask).await.expect("tells").access_key_last_used;
    assert_eq!(used.map(|used| used.service_name).as_deref(), Some("ecs"));
}

#[tokio::test]
async fn the_roots_keys_are_those_of_no_user() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let of_ann = CreateAccessKeyRequest { user_name: Some("ann".into()) };
    service.create_access_key(&context, of_ann).await.expect("creates");
    let made = service.create_access_key(&context, CreateAccessKeyRequest::default()).await.expect("creates");
    let key = service.tables.get::<AccessKey>(&made.access_key.access_key_id).await.expect("reads");
    let key = key.expect("is there");
    assert_eq!((key.principal_id.as_str(), &key.user), (ACCOUNT, &None));
    let list = service.list_access_keys(&context, ListAccessKeysRequest::default()).await.expect("lists");
    assert_eq!(list.access_key_metadata.len(), 1);
    let summary =
        service.get_account_summary(&context, ()).await.expect("sums up").summary_map.expect("a map");
    assert_eq!((summary["Users"], summary["AccountAccessKeysPresent"]), (1, 1));
}

#[tokio::test]
async fn passwords_are_checked_and_never_kept() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let create = |password: &str| CreateLoginProfileRequest {
        user_name: Some("ann".into()),
        password: Some(password.to_owned()),
        ..CreateLoginProfileRequest::default()
    };
    assert_eq!(
        code(service.create_login_profile(&context, create("short")).await),
        "PasswordPolicyViolation"
    );
    service.create_login_profile(&context, create("Passw0rd!")).await.expect("creates");
    assert_eq!(
        code(service.create_login_profile(&context, create("Passw0rd!")).await),
        "EntityAlreadyExists"
    );
    let row = resources::iam::key_of(&context.account, "ann");
    let row = service.tables.get::<resources::iam::User>(&row).await.expect("reads").expect("is there");
    assert!(!serde_json::to_string(&*row).expect("writes").contains("Passw0rd!"));
    let ann = by_user(&context, "ann");
    let change = |old: &str, new: &str| ChangePasswordRequest {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
    };
    assert_eq!(
        code(service.change_password(&ann, change("wrong", "N3wPassword")).await),
        "PasswordPolicyViolation"
    );
    service.change_password(&ann, change("Passw0rd!", "N3wPassword")).await.expect("changes");
    assert_eq!(code(service.change_password(&context, change("a", "b")).await), "InvalidUserType");
    let policy = UpdateAccountPasswordPolicyRequest {
        password_reuse_prevention: Some(2),
        ..UpdateAccountPasswordPolicyRequest::default()
    };
    service.update_account_password_policy(&context, policy).await.expect("sets");
    service.change_password(&ann, change("N3wPassword", "An0ther-one")).await.expect("changes");
    assert_eq!(
        code(service.change_password(&ann, change("An0ther-one", "N3wPassword")).await),
        "PasswordPolicyViolation"
    );
    let delete = DeleteLoginProfileRequest { user_name: Some("ann".into()) };
    service.delete_login_profile(&context, delete.clone()).await.expect("deletes");
    assert_eq!(
        refused(service.delete_login_profile(&context, delete).await),
        ("NoSuchEntity", "Login Profile for User ann cannot be found.".to_owned())
    );
}

#[tokio::test]
async fn the_password_policy_is_one_row() {
    let (service, context) = fixture();
    assert_eq!(
        refused(service.get_account_password_policy(&context, ()).await).1,
        "The Password Policy with domain name 123456789012 cannot be found."
    );
    let policy = UpdateAccountPasswordPolicyRequest {
        max_password_age: Some(60),
        ..UpdateAccountPasswordPolicyRequest::default()
    };
    service.update_account_password_policy(&context, policy).await.expect("sets");
    let shown = service.get_account_password_policy(&context, ()).await.expect("is there").password_policy;
    assert_eq!((shown.expire_passwords, shown.minimum_password_length), (Some(true), Some(6)));
    service.delete_account_password_policy(&context, ()).await.expect("deletes");
    assert_eq!(code(service.delete_account_password_policy(&context, ()).await), "NoSuchEntity");
}

#[tokio::test]
async fn the_report_lists_everybody() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    assert_eq!(code(service.get_credential_report(&context, ()).await), "ReportNotPresent");
    let first = service.generate_credential_report(&context, ()).await.expect("starts");
    assert_eq!(first.state, Some(ReportStateType::Started));
    let second = service.generate_credential_report(&context, ()).await.expect("is there");
    assert_eq!(second.state, Some(ReportStateType::Complete));
    let report =
        service.get_credential_report(&context, ()).await.expect("is there").content.expect("a text");
    let report = String::from_utf8(report).expect("is text");
    let lines: Vec<Vec<&str>> = report.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{report}");
    assert_eq!((lines[1][0], lines[2][0]), ("<root_account>", "ann"));
    let late = RequestContext { time: context.time + std::time::Duration::from_secs(5 * 3600), ..context };
    assert_eq!(code(service.get_credential_report(&late, ()).await), "ReportExpired");
}

#[tokio::test]
async fn certificates_are_certificates() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let upload =
        UploadSigningCertificateRequest { user_name: Some("ann".into()), certificate_body: "no".into() };
    assert_eq!(code(service.upload_signing_certificate(&context, upload).await), "MalformedCertificate");
}
