//! Roles of repository creation templates, assumed as ECR does before it makes a repository.

use access::{Access, Asked, NotAllowed, RequestFacts};
use environment::Environment;
use identifiers::{Arn, Region};
use image_registry::TemplateRoles;
use resources::ecr::Repository;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The service that assumes the role, as its trust policy names it.
const SERVICE: &str = "ecr.amazonaws.com";
/// The name of its sessions.
const SESSION: &str = "repository-creation";
/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(900);

/// Assumes roles of this region.
pub(super) struct AssumedRoles {
    pub(super) access: Access,
    pub(super) region: Region,
    pub(super) environment: Environment,
}

#[async_trait::async_trait]
impl TemplateRoles for AssumedRoles {
    async fn may_create(&self, role_arn: &str, planned: &Repository) -> Result<(), String> {
        let resource = format!("repository/{}", planned.name);
        let arn = Arn::new("ecr", &self.region, &planned.account, resource).to_string();
        if role_arn.split(':').nth(4) != Some(planned.account.as_str()) {
            return Err(format!("{role_arn} is not a role of the account {}", planned.account));
        }
        let made = self.access.assume_for_service(role_arn, SERVICE, SESSION, LIFE, &arn).await;
        let made = made.map_err(|error| error.to_string())?;
        let credential = self.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
        let caller = credential.map_err(|_| format!("the session of {role_arn} is not good"))?.caller;
        let mut asked = vec![Asked::new("ecr:CreateRepository", &arn)];
        if !planned.tags.is_empty() {
            asked.push(Asked::new("ecr:TagResource", &arn));
        }
        let facts = RequestFacts {
            time: self.environment.now(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            region: self.region.as_str(),
            user_agent: Some(SERVICE),
            secure_transport: false,
        };
        self.access.authorize(&caller, &asked, &facts).await.map_err(|error| match error {
            NotAllowed::Denied(denied) => denied.message,
            NotAllowed::Failed(error) => error.to_string(),
        })
    }
}
