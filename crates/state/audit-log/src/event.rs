//! What a record holds: borrowed when it is made, owned when it is found again.

use environment::Timestamp;

/// Code and message of a call whose client did not wait for the answer.
pub const DISCONNECTED: (&str, &str) = (
    "ClientDisconnected",
    "The client closed the connection before the answer. The call may have taken effect.",
);

/// Who called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `Root`, `IAMUser`, `AssumedRole`, `AWSService`, `Unknown` and so on, as CloudTrail names them.
    pub kind: &'a str,
    /// Unique id of the principal.
    pub principal_id: &'a str,
    /// ARN of the principal; empty when nobody is known.
    pub arn: &'a str,
    /// Account of the principal.
    pub account: &'a str,
    /// The access key that signed; for a call with a wrong signature the one it claims.
    pub access_key_id: &'a str,
    /// Name of an IAM user.
    pub user_name: &'a str,
    /// The service that made the call, for example `ecs-tasks.amazonaws.com`.
    pub invoked_by: &'a str,
    /// The session, for temporary credentials.
    pub session: Option<Session<'a>>,
}

/// The session of temporary credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session<'a> {
    /// `Role`, `IAMUser` or `Root`: who issued it.
    pub issuer_kind: &'a str,
    /// Unique id of the issuer.
    pub issuer_principal_id: &'a str,
    /// ARN of the issuer.
    pub issuer_arn: &'a str,
    /// Account of the issuer.
    pub issuer_account: &'a str,
    /// Name of the role or user.
    pub issuer_name: &'a str,
    /// When it began.
    pub created_at: Timestamp,
    /// Whether a second factor was shown.
    pub mfa: bool,
}

impl<'a> Identity<'a> {
    /// The name under which LookupEvents finds the caller: the user, the role session, `root`, or the service.
    pub fn username(&self) -> &'a str {
        match self.kind {
            "Root" if self.user_name.is_empty() => "root",
            "AssumedRole" => self.principal_id.split_once(':').map_or("", |(_, name)| name),
            "AWSService" => self.invoked_by,
            _ => self.user_name,
        }
    }
}

/// Something a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Its type as CloudFormation names it, for example `AWS::ECS::Cluster`.
    pub kind: &'a str,
    /// Its name or ARN, as the call has it.
    pub name: &'a str,
}

/// What made a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventType {
    /// A call of the API.
    #[default]
    ApiCall,
    /// The region itself, on behalf of a caller or of a task.
    ServiceEvent,
}

/// A record as it is made: everything borrowed, so that making one allocates nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// When the call was answered.
    pub time: Timestamp,
    /// The service, for example `ecs.amazonaws.com`.
    pub source: &'a str,
    /// The operation, for example `RunTask`.
    pub name: &'a str,
    /// Region that answered.
    pub region: &'a str,
    /// Account whose record this is.
    pub account: &'a str,
    /// Who called.
    pub identity: Identity<'a>,
    /// Address of the client, or the name of the service that called.
    pub source_address: &'a str,
    /// What the client says it is.
    pub user_agent: &'a str,
    /// Code and message, when the call failed.
    pub error: Option<(&'a str, &'a str)>,
    /// Parameters as JSON text, without secrets.
    pub request_parameters: Option<&'a str>,
    /// Answer as JSON text, without secrets.
    pub response_elements: Option<&'a str>,
    /// Id of the request.
    pub request_id: &'a str,
    /// The call changes nothing.
    pub read_only: bool,
    /// A data event: frequent, of no interest to who looks after the account. LookupEvents leaves it out.
    pub data: bool,
    /// What made it.
    pub event_type: EventType,
    /// What it is about.
    pub resources: &'a [Resource<'a>],
}

/// A record as it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredEvent {
    /// Place among all records of this region; grows with every record.
    pub sequence: u64,
    /// Unique id, a UUID.
    pub id: String,
    /// See [`Event::time`].
    pub time: Timestamp,
    /// See [`Event::source`].
    pub source: String,
    /// See [`Event::name`].
    pub name: String,
    /// See [`Event::region`].
    pub region: String,
    /// See [`Event::account`].
    pub account: String,
    /// See [`Event::identity`].
    pub identity: StoredIdentity,
    /// See [`Event::source_address`].
    pub source_address: String,
    /// See [`Event::user_agent`].
    pub user_agent: String,
    /// See [`Event::error`].
    pub error: Option<(String, String)>,
    /// See [`Event::request_parameters`].
    pub request_parameters: Option<String>,
    /// See [`Event::response_elements`].
    pub response_elements: Option<String>,
    /// See [`Event::request_id`].
    pub request_id: String,
    /// See [`Event::read_only`].
    pub read_only: bool,
    /// See [`Event::data`].
    pub data: bool,
    /// See [`Event::event_type`].
    pub event_type: EventType,
    /// Type and name of each, see [`Event::resources`].
    pub resources: Vec<(String, String)>,
}

/// Who called, as it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredIdentity {
    /// The texts of [`Identity`] and of its session, in the order of their fields.
    pub(crate) texts: [String; IDENTITY_TEXTS],
    /// When the session began and whether a second factor was shown.
    pub(crate) session: Option<(Timestamp, bool)>,
}

/// Number of texts in an identity, those of the session included.
pub(crate) const IDENTITY_TEXTS: usize = 12;

impl StoredIdentity {
    /// As it was recorded.
    pub fn get(&self) -> Identity<'_> {
        let [kind, principal_id, arn, account, access_key_id, user_name, invoked_by, session @ ..] =
            &self.texts;
        let [issuer_kind, issuer_principal_id, issuer_arn, issuer_account, issuer_name] = session;
        Identity {
            kind,
            principal_id,
            arn,
            account,
            access_key_id,
            user_name,
            invoked_by,
            session: self.session.map(|(created_at, mfa)| Session {
                issuer_kind,
                issuer_principal_id,
                issuer_arn,
                issuer_account,
                issuer_name,
                created_at,
                mfa,
            }),
        }
    }
}

/// The texts of an identity in their stored order.
pub(crate) fn identity_texts<'a>(identity: &Identity<'a>) -> [&'a str; IDENTITY_TEXTS] {
    let session = identity.session.unwrap_or_default();
    [
        identity.kind,
        identity.principal_id,
        identity.arn,
        identity.account,
        identity.access_key_id,
        identity.user_name,
        identity.invoked_by,
        session.issuer_kind,
        session.issuer_principal_id,
        session.issuer_arn,
        session.issuer_account,
        session.issuer_name,
    ]
}
