//! OpenID Connect providers, tags and settings of an account.

use super::*;
use crate::shapes::*;

const URL: &str = "https://oidc.eks.us-east-1.example.com/id/ABC";

async fn provider(service: &IamService, context: &RequestContext) -> String {
    let create = CreateOpenIDConnectProviderRequest {
        url: URL.into(),
        client_id_list: Some(vec!["sts.amazonaws.com".into()]),
        thumbprint_list: Some(vec!["A".repeat(40)]),
        ..CreateOpenIDConnectProviderRequest::default()
    };
    let made = service.create_open_id_connect_provider(context, create).await.expect("creates");
    made.open_id_connect_provider_arn.expect("has an ARN")
}

#[tokio::test]
async fn providers_are_kept_by_their_issuer() {
    let (service, context) = fixture();
    let arn = provider(&service, &context).await;
    assert_eq!(arn, "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.example.com/id/ABC");
    let again = CreateOpenIDConnectProviderRequest {
        url: URL.into(),
        ..CreateOpenIDConnectProviderRequest::default()
    };
    assert_eq!(code(service.create_open_id_connect_provider(&context, again).await), "EntityAlreadyExists");
    let add = AddClientIDToOpenIDConnectProviderRequest {
        client_id: "mine".into(),
        open_id_connect_provider_arn: arn.clone(),
    };
    for _ in 0..2 {
        service.add_client_id_to_open_id_connect_provider(&context, add.clone()).await.expect("adds");
    }
    let get = || GetOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn.clone() };
    let shown = service.get_open_id_connect_provider(&context, get()).await.expect("is there");
    assert_eq!(shown.client_id_list, Some(vec!["sts.amazonaws.com".to_owned(), "mine".to_owned()]));
    assert_eq!(shown.thumbprint_list, Some(vec!["a".repeat(40)]));
    assert_eq!(shown.url.as_deref(), Some("oidc.eks.us-east-1.example.com/id/ABC"));
    let delete = DeleteOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn.clone() };
    for _ in 0..2 {
        service.delete_open_id_connect_provider(&context, delete.clone()).await.expect("deletes");
    }
    assert_eq!(
        refused(service.get_open_id_connect_provider(&context, get()).await),
        ("NoSuchEntity", format!("OpenIDConnect Provider not found for arn {arn}"))
    );
}

#[tokio::test]
async fn tags_are_put_over_each_other() {
    let (service, context) = fixture();
    role(&service, &context, "worker").await;
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let put = |tags| TagRoleRequest { role_name: "worker".into(), tags };
    service.tag_role(&context, put(vec![tag("Team", "a"), tag("env", "x")])).await.expect("tags");
    service.tag_role(&context, put(vec![tag("team", "b")])).await.expect("tags");
    let list = |marker| ListRoleTagsRequest { role_name: "worker".into(), max_items: Some(1), marker };
    let first = service.list_role_tags(&context, list(None)).await.expect("lists");
    assert_eq!((first.tags.clone(), first.is_truncated), (vec![tag("team", "b")], Some(true)));
    let second = service.list_role_tags(&context, list(first.marker)).await.expect("lists");
    assert_eq!((second.tags, second.is_truncated), (vec![tag("env", "x")], Some(false)));
    let untag = UntagRoleRequest { role_name: "worker".into(), tag_keys: vec!["ENV".into()] };
    service.untag_role(&context, untag).await.expect("untags");
    let twice = put(vec![tag("a", ""), tag("A", "")]);
    assert_eq!(code(service.tag_role(&context, twice).await), "InvalidInput");
    let nobody = TagUserRequest { user_name: "nobody".into(), tags: vec![tag("a", "")] };
    assert_eq!(code(service.tag_user(&context, nobody).await), "NoSuchEntity");
}

#[tokio::test]
async fn an_account_has_one_alias_and_nobody_else_has_it() {
    let (service, context) = fixture();
    let create = |alias: &str| CreateAccountAliasRequest { account_alias: alias.to_owned() };
    service.create_account_alias(&context, create("mine")).await.expect("creates");
    let other = RequestContext { account: "210987654321".parse().expect("an account"), ..context.clone() };
    assert_eq!(code(service.create_account_alias(&other, create("mine")).await), "EntityAlreadyExists");
    service.create_account_alias(&context, create("better")).await.expect("takes its place");
    service.create_account_alias(&other, create("mine")).await.expect("is free again");
    let list = service.list_account_aliases(&context, ListAccountAliasesRequest::default()).await;
    assert_eq!(list.expect("lists").account_aliases, ["better"]);
    let delete = DeleteAccountAliasRequest { account_alias: "mine".into() };
    assert_eq!(code(service.delete_account_alias(&context, delete).await), "NoSuchEntity");
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let (service, context) = fixture();
    let arn = policy(&service, &context, "p").await;
    user(&service, &context, "ann").await;
    let other = RequestContext {
        account: "210987654321".parse().expect("an account"),
        principal_arn: "arn:aws:iam::210987654321:root".into(),
        ..context.clone()
    };
    assert_eq!(
        code(service.get_policy(&other, GetPolicyRequest { policy_arn: arn.clone() }).await),
        "NoSuchEntity"
    );
    user(&service, &other, "bob").await;
    let attach = AttachUserPolicyRequest { user_name: "bob".into(), policy_arn: arn };
    assert_eq!(code(service.attach_user_policy(&other, attach).await), "NoSuchEntity");
    let listed = service.list_users(&other, ListUsersRequest::default()).await.expect("lists").users;
    assert_eq!(listed.iter().map(|user| user.user_name.as_str()).collect::<Vec<_>>(), ["bob"]);
}

#[tokio::test]
async fn authorization_details_hold_everything() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    role(&service, &context, "worker").await;
    let own = policy(&service, &context, "p").await;
    for arn in [own.as_str(), "arn:aws:iam::aws:policy/ReadOnlyAccess"] {
        let attach = AttachRolePolicyRequest { role_name: "worker".into(), policy_arn: arn.to_owned() };
        service.attach_role_policy(&context, attach).await.expect("attaches");
    }
    let mut policies = Vec::new();
    let mut principals = 0;
    let mut marker = None;
    loop {
        let ask = GetAccountAuthorizationDetailsRequest { marker, max_items: Some(1), filter: None };
        let part = service.get_account_authorization_details(&context, ask).await.expect("tells");
        principals += part.user_detail_list.map_or(0, |list| list.len());
        principals += part.role_detail_list.map_or(0, |list| list.len());
        policies
            .extend(part.policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name));
        marker = part.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!((principals, policies), (2, vec!["p".to_owned(), "ReadOnlyAccess".to_owned()]));
}
