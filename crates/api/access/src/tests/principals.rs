//! Users and roles that policies name, who are gone or made anew.

use super::*;
use crate::{BindError, bind_resource_policy, bind_trust_policy, show_principals};
use resources::access::Account;
use resources::iam::UniqueId;

const ID: &str = "AIDAAAAAAAAAAAAAAAAAA";

async fn may_assume(region: &Region, caller: &Caller, role: &Role) -> bool {
    let arn = role.arn();
    let asked =
        Asked { resource_policy: Some(&role.trust_policy), ..Asked::new("sts:AssumeRole", arn.as_str()) };
    region.access.authorize(caller, &[asked], &region.facts()).await.is_ok()
}

/// Deletes a user and makes one anew under its name.
async fn recreated(region: &Region, user: &User) -> User {
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    region.tables.batch().delete(&row).delete_any::<UniqueId>(&row.id).commit().await.expect("deletes");
    let new = User { id: "AIDABBBBBBBBBBBBBBBBB".into(), ..user.clone() };
    let id = UniqueId::from(&new);
    region.tables.batch().create(&new).put_any(&id).commit().await.expect("creates");
    new
}

#[tokio::test]
async fn who_is_made_anew_under_an_old_name_is_not_meant() {
    let region = Region::new();
    let (user, key) = region.user("ci", "").await;
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    region.tables.replace(&row, User { id: ID.into(), ..user.clone() }).await.expect("replaces");
    let row = region.tables.get::<AccessKey>(&key.access_key_id).await.expect("reads").expect("is there");
    region
        .tables
        .replace(&row, AccessKey { principal_id: ID.into(), ..key.clone() })
        .await
        .expect("replaces");
    let written = trust(r#"{"AWS":["arn:aws:iam::123456789012:user/ci"]}"#);
    let bound = bind_trust_policy(&region.tables, &account(), &written).await.expect("binds");
    assert_eq!(bound, trust(&format!(r#"{{"AWS":["{ID}"]}}"#)));
    assert_eq!(show_principals(&region.tables, &bound).await.expect("shows"), written);
    let role = region.role("deployer", &bound, &allow("ecs:*")).await;
    let caller = region.caller(&key).await;
    assert!(may_assume(&region, &caller, &role).await);

    let new = recreated(&region, &user).await;
    let caller = Caller::user(&new);
    assert_eq!(&*caller.principal_arn, "arn:aws:iam::123456789012:user/ci", "the same name");
    assert!(!may_assume(&region, &caller, &role).await);
    assert_eq!(show_principals(&region.tables, &bound).await.expect("shows"), bound, "the id is left");
    let again = bind_trust_policy(&region.tables, &account(), &bound).await.expect_err("nobody has it");
    assert_eq!(again.to_string(), format!("Invalid principal in policy: \"AWS\":\"{ID}\""));
    let anew = bind_trust_policy(&region.tables, &account(), &written).await.expect("binds");
    assert!(may_assume(&region, &caller, &Role { trust_policy: anew, ..role }).await, "named anew");
}

#[tokio::test]
async fn a_federated_user_is_its_user_by_id() {
    let region = Region::new();
    let (user, key) = region.user("ci", &allow("ecs:*")).await;
    let subject = Subject::Federated {
        name: "guest".into(),
        user: Some(("ci".into(), user.id.clone())),
        key: Some(key.access_key_id),
    };
    let made = region.access.issue(Session::of(account(), subject), HOUR);
    let found = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let caller = found.expect("is good").caller;
    let deny = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":"*","Principal":{{"AWS":"{}"}}}}}}"#,
        "arn:aws:iam::123456789012:user/ci"
    );
    let bound = bind_resource_policy(&region.tables, &account(), &deny).await.expect("binds");
    assert!(!bound.contains("user/ci"));
    let asked = Asked {
        resource_policy: Some(&bound),
        ..Asked::new("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task/t")
    };
    assert!(region.access.authorize(&caller, &[asked], &region.facts()).await.is_err());
}

#[tokio::test]
async fn only_who_can_be_looked_up_must_be_there() {
    let region = Region::new();
    region.user("ci", "").await;
    let bind = |principal: &'static str| {
        let (tables, text) = (region.tables.clone(), trust(&format!(r#"{{"AWS":"{principal}"}}"#)));
        async move { bind_trust_policy(&tables, &account(), &text).await.map(|bound| bound == text) }
    };
    for missing in [
        "arn:aws:iam::123456789012:user/none",
        "arn:aws:iam::123456789012:role/ci",
        "arn:aws:iam::123456789012:user/CI",
        "arn:aws:iam::123456789012:user/path/ci",
        "AROAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(matches!(bind(missing).await, Err(BindError::NoPrincipal(name)) if name == missing));
    }
    let other = "arn:aws:iam::210987654321:user/ann";
    for kept in ["*", "123456789012", "arn:aws:iam::123456789012:root", other] {
        assert!(bind(kept).await.expect("binds"), "{kept}");
    }
    let id: AccountId = "210987654321".parse().expect("an account");
    region.tables.create(Account { id, created_at: Timestamp::default() }).await.expect("creates");
    assert!(matches!(bind(other).await, Err(BindError::NoPrincipal(_))), "an account of this region");
    assert!(matches!(bind("x y").await, Err(BindError::Malformed(_))));
}
