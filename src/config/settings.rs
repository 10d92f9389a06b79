//! The configuration, resolved and checked: what the rest of the house is given.
//!
//! Every value here is final: names are looked up, `${NAME}` is expanded, relative paths stand
//! against the folder of the configuration file, bounds are checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::domain::command::{Action, Service};
use crate::domain::delivery::Schedule;
use crate::domain::event::Subscription;
use crate::domain::id::Namespace;
use crate::domain::masked::Secret;
use crate::domain::silence::Rule;
use crate::domain::subject::SubjectTemplate;
use crate::domain::topic::TopicTemplate;

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The public door.
    pub callback: Callback,
    /// Our own call at it, if there is to be one.
    pub probe: Option<Probe>,
    /// The decryption keys, oldest first: the last one is the newest.
    pub keys: Vec<KeyFile>,
    /// How sealed bodies are opened.
    pub envelope: Envelope,
    /// The memory.
    pub store: Store,
    /// How arrivals are gathered and told apart.
    pub inbox: Inbox,
    /// The admin listener.
    pub admin: Admin,
    /// How events are delivered.
    pub delivery: Delivery,
    /// To whom.
    pub destinations: Vec<Destination>,
    /// How tokens are changed.
    pub lifecycle: Lifecycle,
    /// The listener for TokenEx's own notifications, if there is to be one.
    pub tokenex_callbacks: Option<TokenExCallbacks>,
    /// When a silence is too long.
    pub watch: Watch,

    /// For how long what nobody needs any more is kept.
    pub retention: Retention,
    /// What is logged, and how.
    pub log: Log,
    /// Where spans go, if anywhere.
    pub traces: Option<Traces>,
}

/// `[callback]`: the public door.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Goes before `/digitization/static/1/0/notifyTokenUpdated`; empty, or starts with `/` and does not end with one.
    pub context_root: String,
    /// Where a probe asks: the context root and `/probe`.
    pub probe_path: String,
    /// `responseHost` of our answers.
    pub response_host: String,
    /// Whether bodies must come sealed.
    pub payload: Payload,
    /// HTTP status of a refusal that a retry cannot help: 400 or 200.
    pub refusal_status: u16,
    /// TLS.
    pub tls: Tls,
    /// Bounds and deadlines.
    pub limits: Limits,
    /// Addresses from which a PROXY protocol header (v1, v2) is demanded; empty: none is understood.
    pub proxy_protocol_from: Vec<IpNet>,
    /// The terminating balancer, if `callback.tls.client_auth = "forwarded"`.
    pub forwarded: Option<Forwarded>,
}

/// `callback.payload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `encryptedPayload` only.
    Encrypted,
    /// Top-level `tokens` only.
    Plain,
    /// Both.
    Either,
}

/// `[callback.tls]`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM: our chain, leaf first.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub private_key: PathBuf,
    /// Whose client certificates are admitted. `client_roots`/`client_names`/`client_pins` are the first entry; at least one.
    pub peers: Vec<PeerRule>,
    /// Whose client certificates are admitted as probes, which reach the probe's path alone.
    pub probe: Option<PeerRule>,
    /// PEM or DER certificate revocation lists.
    pub crls: Vec<PathBuf>,
    /// Refuse a certificate whose CRL is past its `nextUpdate`.
    pub crl_expiry_enforced: bool,
    /// Demand the clientAuth extended key usage.
    pub client_eku_required: bool,
}

/// Names bound to their roots.
#[derive(Clone, Debug)]
pub struct PeerRule {
    /// PEM bundles of trust anchors.
    pub roots: Vec<PathBuf>,
    /// DNS names, compared without case, no wildcards.
    pub names: Vec<String>,
    /// SPKI SHA-256, lower-case hex; empty: any key. In addition to the name, never instead.
    pub pins: Vec<String>,
    /// Whom they stand for, for the logs.
    pub organization: Option<String>,
}

/// `[callback.forwarded]`: a balancer that terminates TLS and passes the client certificate in a header.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// From which addresses.
    pub from: Vec<IpNet>,
    /// How the certificate is written.
    pub form: ForwardedForm,
    /// Lower-case header name.
    pub header: String,
    /// How the balancer proves itself.
    pub proof: ForwardedProof,
}

/// How a balancer writes the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedForm {
    /// Envoy's XFCC: `Cert="…";Chain="…"`, URL-encoded PEM.
    Envoy,
    /// AWS ALB: URL-encoded PEM (`+=/` unescaped), leaf or chain.
    Aws,
    /// nginx `$ssl_client_escaped_cert`: URL-encoded PEM leaf.
    Nginx,
}

/// How a balancer proves itself.
#[derive(Clone, Debug)]
pub enum ForwardedProof {
    /// By its own client certificate: our listener demands it, under this rule.
    MutualTls(PeerRule),
    /// By a secret in this (lower-case) header, compared in constant time.
    SharedSecret {
        /// The header's name.
        header: String,
        /// The secret.
        secret: Secret,
    },
}

/// `[probe]`: we call ourselves, by our public name.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The whole URL: the public name, the context root, `/probe`.
    pub url: String,
    /// How often.
    pub every: Duration,
    /// How it goes out; always with a client certificate.
    pub egress: Egress,
}

/// `[traces]`: spans go to a collector, by OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The whole URL.
    pub url: Secret,
    /// Sent with each request; their values are marked as sensitive, and so have no Debug.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// One trace in so many is kept.
    pub one_in: u64,
    /// `service.name`.
    pub service_name: String,
    /// How it goes out.
    pub egress: Egress,
}

/// Bounds and deadlines of the door.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// TLS handshake, PROXY header included.
    pub handshake: Duration,
    /// From the end of the handshake to the first request's head.
    pub first_request: Duration,
    /// Idle time between requests.
    pub idle: Duration,
    /// A request's body.
    pub body: Duration,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// How much of a larger one is read and thrown away, so that the sender sees the 413.
    pub drain_bytes_max: usize,
    /// And for how long.
    pub drain: Duration,
    /// Connections at once.
    pub connections_max: usize,
    /// A connection's age, after which it is closed between two requests.
    pub connection_age: Duration,
    /// From a complete body to the answer; past it 503.
    pub answer: Duration,
    /// How long a stop waits for what was accepted.
    pub stop: Duration,
}

/// One `[[keys]]` entry.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// PKCS#8 or PKCS#1 (PEM or DER), or PKCS#12.
    pub private_key: PathBuf,
    /// Opens a PKCS#12 file.
    pub password: Option<Secret>,
    /// Gives the certificate's fingerprints.
    pub certificate: Option<PathBuf>,
    /// Further aliases, compared without case.
    pub fingerprints: Vec<String>,
}

/// `[envelope]`: how sealed bodies are opened.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// Try all keys for a fingerprint that none has; else refuse.
    pub try_all: bool,
    /// Accept an absent `oaepHashingAlgorithm` as PKCS#1 v1.5 (ends 2027-03-31).
    pub legacy_pkcs1_v15: bool,
    /// Refuse a body whose `dataValidUntilTimestamp` had passed at receipt; else apply and flag.
    pub refuse_expired: bool,
}

/// `[store]`.
#[derive(Clone, Debug)]
pub struct Store {
    /// One URL, or several Postgres ones of which the primary is used.
    pub urls: Vec<Secret>,
    /// `serve` migrates at its start.
    pub migrate_on_start: bool,
    /// Connections at most (Postgres), readers at most (SQLite).
    pub connections_max: u32,
    /// Deadline of one verb.
    pub deadline: Duration,
}

/// `[inbox]`.
#[derive(Clone, Copy, Debug)]
pub struct Inbox {
    /// How many may wait for a commit; over it 503.
    pub queue_max: usize,
    /// How many are committed at once.
    pub batch_max: usize,
    /// A statement heard again within this is a repeat.
    pub retry_window: Duration,
}

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where to listen: loopback, unless `tls` is set.
    pub listen: SocketAddr,
    /// Certificate and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Names that a Host header may bear besides loopback's and the listening address.
    pub hosts: Vec<String>,
}

/// `[delivery]`.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// For how long a delivery must have failed before one that stops charging may overtake it.
    pub stop_overtakes_after: Duration,
}

/// One `[[destinations]]` entry.
#[derive(Clone, Debug)]
pub struct Destination {
    /// By which the store, the log and the metrics know it.
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// What it asked for.
    pub subscription: Subscription,
    /// When a failed attempt is made again.
    pub schedule: Schedule,
    /// Where it begins when it is first met.
    pub start: Start,
    /// How many attempts may be under way at once.
    pub concurrency: u32,
    /// How it is reached.
    pub egress: Egress,
}

/// What a destination is.
#[derive(Clone, Debug)]
pub enum DestinationKind {
    /// An HTTP endpoint, told by Standard Webhooks.
    Webhook(Webhook),
    /// NATS JetStream.
    Nats(Nats),
    /// Apache Kafka, or what speaks like it.
    Kafka(Kafka),
    /// RabbitMQ, by AMQP 0-9-1.
    RabbitMq(RabbitMq),
}

impl DestinationKind {
    /// The word that the configuration has for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            DestinationKind::Webhook(_) => "webhook",
            DestinationKind::Nats(_) => "nats",
            DestinationKind::Kafka(_) => "kafka",
            DestinationKind::RabbitMq(_) => "rabbitmq",
        }
    }
}

/// `kind = "webhook"`.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `https://…`, or `http://…` into an allowed network. It may hold a secret in its path or query.
    pub url: Secret,
    /// All live ones sign: `whsec_…` (HMAC) or `whsk_…` (Ed25519).
    pub secrets: Vec<Secret>,
    /// Files with one such secret each, read again when they change.
    pub secret_files: Vec<PathBuf>,
    /// Send the token's number, opened from the sealed body for each attempt. `https://` only.
    pub include_token_number: bool,
}

/// `kind = "nats"`.
#[derive(Clone, Debug)]
pub struct Nats {
    /// `nats://…`, `tls://…`: the servers of one cluster.
    pub urls: Vec<Secret>,
    /// The subject, with `{token_requestor_id}`, `{type}` and `{namespace}` in it.
    pub subject: SubjectTemplate,
    /// The stream that must take it; with `create_stream` it is made.
    pub stream: Option<String>,
    /// Make the stream if it is not there.
    pub create_stream: bool,
    /// A `.creds` file.
    pub credentials: Option<PathBuf>,
}

/// `kind = "kafka"`.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `kafka://…` or `kafkas://…`, all of one cluster and with one login.
    pub urls: Vec<Secret>,
    /// The topic, with `{token_requestor_id}`, `{type}` and `{namespace}` in it if wished.
    pub topic: TopicTemplate,
    /// How the URL's user is proven.
    pub sasl: Sasl,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// The password itself.
    Plain,
    /// A proof of it.
    ScramSha256,
    /// A proof of it.
    ScramSha512,
}

impl Sasl {
    /// As Kafka calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Sasl::Plain => "PLAIN",
            Sasl::ScramSha256 => "SCRAM-SHA-256",
            Sasl::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// `kind = "rabbitmq"`.
#[derive(Clone, Debug)]
pub struct RabbitMq {
    /// `amqp://…` or `amqps://…`: the servers of one cluster.
    pub urls: Vec<Secret>,
    /// The exchange that it is published to.
    pub exchange: String,
    /// The routing key, with `{token_requestor_id}`, `{type}` and `{namespace}` in it.
    pub routing_key: SubjectTemplate,
}

/// How a destination, or a token service, is reached.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Addresses that the guard would otherwise refuse.
    pub allow_networks: Vec<IpNet>,
    /// An HTTP proxy to go through: then it is the one that resolves names.
    pub proxy: Option<Secret>,
    /// Roots to trust besides the web's; PEM files.
    pub roots: Vec<PathBuf>,
    /// Certificate and key to show, PEM.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long an attempt may take in all.
    pub total: Duration,
}

/// Where a new destination begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is acknowledged from the first start on that knows of it.
    Now,
    /// With everything that is kept.
    Beginning,
    /// With the state of every token, then with what comes.
    Snapshot,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// One JSON object a line, instead of text for people.
    pub json: bool,
    /// A `tracing` filter: `info`, `mdes_receiver=debug`.
    pub filter: String,
}

/// `[lifecycle]`: changing tokens.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Who carries commands out unless they say otherwise; `None`: whichever one is configured.
    pub through: Option<Service>,
    /// Whose word counts of a token that both know.
    pub authority: Namespace,
    /// Who may use the served TokenEx contract.
    pub clients: Vec<LifecycleClient>,
    /// TokenEx.
    pub tokenex: Option<TokenEx>,
    /// MDES itself.
    pub mdes: Option<Mdes>,
    /// How the desk works.
    pub desk: Desk,
    /// How the served TokenEx contract answers where nobody knows how TokenEx does.
    pub contract: Contract,
    /// How what we hold is compared with what the network says.
    pub reconcile: Reconcile,
}

/// `[lifecycle.reconcile]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// How often one is begun by itself; `None`: never.
    pub every: Option<Duration>,
    /// Each gap is followed by one.
    pub after_gaps: bool,
    /// Questions a second at most, of all services together.
    pub calls_per_second: u32,
}

impl Default for Reconcile {
    fn default() -> Self {
        Reconcile {
            every: None,
            after_gaps: true,
            calls_per_second: 2,
        }
    }
}

/// `[retention]`: from when on what nobody needs any more goes, each counted from its end; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How often everything that is old is looked at.
    pub every: Duration,
    /// Sealed bodies, and who sent them.
    pub notifications: Option<Duration>,
    /// The journal of what was said; at least as long as its notifications.
    pub statements: Option<Duration>,
    /// Events, with their deliveries.
    pub events: Option<Duration>,
    /// What was resolved in quarantine.
    pub quarantine: Option<Duration>,
    /// What was commanded, with its steps.
    pub commands: Option<Duration>,
    /// Reconciles with their findings, and gaps.
    pub reconciles: Option<Duration>,
}

/// `[tokenex_callbacks]`: the listener for TokenEx's own notifications.
#[derive(Clone, Debug)]
pub struct TokenExCallbacks {
    /// Where to listen.
    pub listen: SocketAddr,
    /// PEM: our chain, leaf first.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub private_key: PathBuf,
    /// The first part of the path; 32 characters at least.
    pub path_secret: Secret,
    /// From where they may come; never empty.
    pub allow_from: Vec<IpNet>,
    /// Addresses from which a PROXY protocol header (v1, v2) is demanded; empty: none is understood.
    pub proxy_protocol_from: Vec<IpNet>,
    /// They are believed; otherwise they are hints, and TokenEx is asked.
    pub at_once: bool,
    /// HTTP status of the acknowledgement; TokenEx documents none.
    pub answer_status: u16,
    /// Its body.
    pub answer_body: String,
    /// HTTP status for what cannot be used and is in quarantine.
    pub refusal_status: u16,
}

/// How the desk works.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// For how long a confirmation is waited for before the command is overdue.
    pub confirm_within: Duration,
    /// How often one command is sent at most.
    pub sends_max: u32,
    /// Calls a second to one service at most.
    pub calls_per_second: u32,
    /// `delete` waits until another operator approves of it,
    pub delete_needs_two: bool,
    /// for so long at most.
    pub approve_within: Duration,
}

impl Default for Desk {
    fn default() -> Self {
        Desk {
            confirm_within: Duration::from_mins(5),
            sends_max: 3,
            calls_per_second: 5,
            delete_needs_two: false,
            approve_within: Duration::from_hours(24),
        }
    }
}

/// One `[[lifecycle.clients]]` entry.
#[derive(Clone, Debug)]
pub struct LifecycleClient {
    /// `tx-tokenex-id`.
    pub tokenex_id: String,
    /// SHA-256 of `tx-apikey`.
    pub api_key_sha256: [u8; 32],
    /// What it may ask for.
    pub actions: Vec<Action>,
}

/// `[lifecycle.tokenex]`.
#[derive(Clone, Debug)]
pub struct TokenEx {
    /// Where, without `/v2/…`.
    pub url: Secret,
    /// `tx-tokenex-id`.
    pub tokenex_id: String,
    /// `tx-apikey`.
    pub api_key: Secret,
    /// How it is reached.
    pub egress: Egress,
}

/// `[lifecycle.mdes]`.
#[derive(Clone, Debug)]
pub struct Mdes {
    /// Where, without `/digitization/…`.
    pub url: Secret,
    /// OAuth's consumer key.
    pub consumer_key: String,
    /// PKCS#12 (or PKCS#8 PEM) with the signing key.
    pub signing_key: PathBuf,
    /// Opens it.
    pub signing_key_password: Option<Secret>,
    /// `responseHost` of our requests, if one is wanted.
    pub response_host: Option<String>,
    /// How it is reached.
    pub egress: Egress,
}

/// `[watch]`: when a silence is too long.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// When nothing has come for a while.
    pub silence: Rule,
    /// When nothing ever came: so long after the first start; `None`: never.
    pub first_within: Option<Duration>,
}

/// `[lifecycle.contract]`: the HTTP status of each kind of answer of the served contract; TokenEx documents none.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// Wrong or missing credentials.
    pub unauthorized: u16,
    /// Not JSON, a bad value, no token.
    pub malformed: u16,
    /// No such token, or no network token.
    pub unknown_token: u16,
    /// The network refused.
    pub network_refused: u16,
    /// The network did not answer in time.
    pub network_timeout: u16,
    /// We could not.
    pub internal: u16,
    /// How long a lost answer is waited for.
    pub wait: Duration,
    /// How many commands of one client may be open.
    pub open_max: u32,
}

impl Default for Contract {
    fn default() -> Self {
        Contract {
            unauthorized: 401,
            malformed: 400,
            unknown_token: 200,
            network_refused: 200,
            network_timeout: 200,
            internal: 500,
            wait: Duration::from_secs(30),
            open_max: 1_000,
        }
    }
}
