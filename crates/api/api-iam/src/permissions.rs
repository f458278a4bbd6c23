//! What a caller must be allowed to do for each operation. Which kind of resource an operation is about stands in the
//! service authorization reference; which one of that kind, in the input.

use crate::IamService;
use crate::errors::Failure;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use identifiers::AccountId;
use resources::access::AccessKey;
use resources::iam::{
    Group, InstanceProfile, ManagedPolicy, MfaDevice, OidcProvider, Role, ServerCertificate, User, arn_of,
    key_of, name_of,
};

/// A resource as policies see it.
struct Target {
    arn: String,
    tags: Vec<(String, String)>,
    boundary: Option<String>,
}

impl Target {
    fn new(arn: String) -> Self {
        Self { arn, tags: Vec::new(), boundary: None }
    }
}

/// The permissions of a request.
pub(crate) async fn of(
    service: &IamService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    Ok(Request { service, context, operation, input }.permissions().await?)
}

struct Request<'a> {
    service: &'a IamService,
    context: &'a RequestContext,
    operation: &'static Operation,
    input: &'a Node,
}

impl Request<'_> {
    async fn permissions(&self) -> Result<Vec<Permission>, Failure> {
        let kind = self.operation.action().resources.iter().find(|resource| resource.required);
        let target = match (kind.map(|kind| kind.kind.name), self.input.text("PolicySourceArn")) {
            (Some(kind), _) => self.target(kind).await?,
            (None, Some(source)) => Target::new(source.to_owned()),
            (None, None) => Target::new("*".to_owned()),
        };
        let mut permissions = vec![self.permission(&target)];
        if let Some(renamed) = self.renamed(kind.map(|kind| kind.kind.name), &target) {
            // What gets another name or path is there afterwards, too.
            permissions.push(self.permission(&Target { arn: renamed, ..target }));
        }
        if self.operation.name == "AddRoleToInstanceProfile" {
            let role = self.role(self.input.text("RoleName")).await?;
            let pass = Permission::new("iam:PassRole", role.arn);
            permissions.push(pass.with("iam:PassedToService", "ec2.amazonaws.com"));
        }
        Ok(permissions)
    }

    fn permission(&self, target: &Target) -> Permission {
        let input = self.input;
        // Operations on a boundary are about the one they set or remove, others about the one that is there.
        let boundary = input.text("PermissionsBoundary").or(target.boundary.as_deref());
        Permission::of(self.operation, target.arn.clone())
            .with_request_tags(input.tags("Tags", "Key", "Value"))
            .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect())
            .with_resource_tags(target.tags.iter().map(|(key, value)| (key, value)))
            .with_some("iam:PermissionsBoundary", boundary)
            .with_some("iam:PolicyARN", input.text("PolicyArn"))
            .with_some("iam:AWSServiceName", input.text("AWSServiceName"))
    }

    async fn target(&self, kind: &str) -> Result<Target, Failure> {
        let input = self.input;
        match kind {
            "user" if self.operation.name == "GetAccessKeyLastUsed" => self.user_of_key().await,
            "user" => self.user(input.text("UserName")).await,
            "group" => self.group(input.text("GroupName")).await,
            "role" if self.operation.name == "CreateServiceLinkedRole" => {
                let service = input.text("AWSServiceName").unwrap_or("*");
                Ok(Target::new(self.arn("role", &format!("/aws-service-role/{service}/"), "*")))
            }
            "role" if input.text("DeletionTaskId").is_some() => {
                let path = input.text("DeletionTaskId").and_then(|task| task.strip_prefix("task/"));
                let path = path.and_then(|path| path.rsplit_once('/')).map_or("*", |(path, _)| path);
                Ok(Target::new(self.arn("role", "/", path)))
            }
            "role" => self.role(input.text("RoleName")).await,
            "policy" => self.policy().await,
            "instance-profile" => self.instance_profile().await,
            "mfa" => self.mfa_device().await,
            "oidc-provider" => self.oidc_provider().await,
            "server-certificate" => self.server_certificate().await,
            _ => Ok(Target::new("*".to_owned())),
        }
    }

    fn account(&self) -> &AccountId {
        &self.context.account
    }

    fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        arn_of(self.account(), kind, path, name)
    }

    /// The ARN of something that is not there: with the path it is to get.
    fn new_arn(&self, kind: &str, name: &str) -> String {
        self.arn(kind, self.input.text("Path").unwrap_or("/"), name)
    }

    fn key(&self, name: &str) -> String {
        key_of(self.account(), name)
    }

    async fn user(&self, name: Option<&str>) -> Result<Target, Failure> {
        // Without a name the caller's own user is meant.
        let Some(name) = name else { return Ok(Target::new(self.context.principal_arn.to_string())) };
        let found = self.service.tables.get::<User>(&self.key(name)).await?;
        Ok(match found {
            Some(user) => {
                Target { arn: user.arn(), tags: user.tags.clone(), boundary: user.boundary.clone() }
            }
            None => Target::new(self.new_arn("user", name)),
        })
    }

    async fn user_of_key(&self) -> Result<Target, Failure> {
        let id = self.input.text("AccessKeyId").unwrap_or_default();
        let key = self.service.tables.get::<AccessKey>(id).await?;
        match key.as_ref().and_then(|key| key.user.as_deref()) {
            Some(name) => self.user(Some(name)).await,
            None => Ok(Target::new("*".to_owned())),
        }
    }

    async fn group(&self, name: Option<&str>) -> Result<Target, Failure> {
        let name = name.unwrap_or("*");
        let found = self.service.tables.get::<Group>(&self.key(name)).await?;
        Ok(Target::new(found.map_or_else(|| self.new_arn("group", name), |group| group.arn())))
    }

    async fn role(&self, name: Option<&str>) -> Result<Target, Failure> {
        let name = name.unwrap_or("*");
        let found = self.service.tables.get::<Role>(&self.key(name)).await?;
        Ok(match found {
            Some(role) => {
                Target { arn: role.arn(), tags: role.tags.clone(), boundary: role.boundary.clone() }
            }
            None => Target::new(self.new_arn("role", name)),
        })
    }

    async fn policy(&self) -> Result<Target, Failure> {
        let arn = match (self.input.text("PolicyArn"), self.input.text("PolicyName")) {
            (Some(arn), _) => arn.to_owned(),
            (None, name) => self.new_arn("policy", name.unwrap_or("*")),
        };
        let name = name_of(&arn, self.account(), "policy").map(|name| self.key(name));
        let found = match name {
            Some(key) => self.service.tables.get::<ManagedPolicy>(&key).await?,
            None => None,
        };
        let tags = found.filter(|found| found.arn() == arn).map(|found| found.tags.clone());
        Ok(Target { tags: tags.unwrap_or_default(), ..Target::new(arn) })
    }

    async fn instance_profile(&self) -> Result<Target, Failure> {
        let name = self.input.text("InstanceProfileName").unwrap_or("*");
        let found = self.service.tables.get::<InstanceProfile>(&self.key(name)).await?;
        Ok(match found {
            Some(profile) => Target { tags: profile.tags.clone(), ..Target::new(profile.arn()) },
            None => Target::new(self.new_arn("instance-profile", name)),
        })
    }

    async fn server_certificate(&self) -> Result<Target, Failure> {
        let name = self.input.text("ServerCertificateName").unwrap_or("*");
        let found = self.service.tables.get::<ServerCertificate>(&self.key(name)).await?;
        Ok(match found {
            Some(row) => Target { tags: row.tags.clone(), ..Target::new(row.arn()) },
            None => Target::new(self.new_arn("server-certificate", name)),
        })
    }

    async fn mfa_device(&self) -> Result<Target, Failure> {
        let arn = match (self.input.text("SerialNumber"), self.input.text("VirtualMFADeviceName")) {
            (Some(serial), _) => serial.to_owned(),
            (None, name) => self.new_arn("mfa", name.unwrap_or("*")),
        };
        let found = match MfaDevice::key_of(self.account(), &arn) {
            Some(key) => self.service.tables.get::<MfaDevice>(&key).await?,
            None => None,
        };
        let tags = found.filter(|found| found.arn() == arn).map(|found| found.tags.clone());
        Ok(Target { tags: tags.unwrap_or_default(), ..Target::new(arn) })
    }

    async fn oidc_provider(&self) -> Result<Target, Failure> {
        let url = self.input.text("Url").map(|url| url.trim_start_matches("https://"));
        let arn = match (self.input.text("OpenIDConnectProviderArn"), url) {
            (Some(arn), _) => arn.to_owned(),
            (None, url) => self.arn("oidc-provider", "/", url.unwrap_or("*")),
        };
        let url = arn.split_once(":oidc-provider/").map_or("", |(_, url)| url);
        let key = OidcProvider::key_of(self.account(), url);
        let found = self.service.tables.get::<OidcProvider>(&key).await?;
        Ok(Target { tags: found.map(|found| found.tags.clone()).unwrap_or_default(), ..Target::new(arn) })
    }

    /// The ARN that UpdateUser, UpdateGroup or UpdateServerCertificate gives.
    fn renamed(&self, kind: Option<&str>, old: &Target) -> Option<String> {
        let kind = kind?;
        let names = ["NewUserName", "NewGroupName", "NewServerCertificateName"];
        let name = names.iter().find_map(|name| self.input.text(name));
        let path = self.input.text("NewPath");
        if name.is_none() && path.is_none() {
            return None;
        }
        let (_, rest) = old.arn.split_once(&format!(":{kind}"))?;
        let (old_path, old_name) = rest.rsplit_once('/')?;
        let old_path = format!("{old_path}/");
        Some(self.arn(kind, path.unwrap_or(&old_path), name.unwrap_or(old_name)))
    }
}
