//! The file as an operator writes it, with the default of every key that has one.
//!
//! Nothing is checked here but the kinds of values; [`super::resolve`] does that. There is no `Debug`: it holds secrets.

pub(super) mod lifecycle;
pub(super) mod probe;
pub(super) mod traces;

use serde::Deserialize;

use super::secrets::{one_or_many, secret};
use crate::domain::masked::Secret;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) callback: Callback,
    pub(super) probe: probe::Probe,
    pub(super) keys: Vec<Key>,
    pub(super) envelope: Envelope,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    pub(super) admin: Admin,
    pub(super) delivery: Delivery,
    pub(super) destinations: Vec<Destination>,
    pub(super) lifecycle: lifecycle::Lifecycle,
    pub(super) tokenex_callbacks: TokenExCallbacks,
    pub(super) watch: Watch,

    pub(super) retention: Retention,
    pub(super) log: Log,
    pub(super) traces: traces::Traces,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Callback {
    pub(super) listen: String,
    pub(super) context_root: String,
    pub(super) response_host: Option<String>,
    pub(super) payload: Payload,
    pub(super) refusal_status: u64,
    pub(super) proxy_protocol_from: Vec<String>,
    pub(super) tls: Tls,
    pub(super) forwarded: Option<Forwarded>,
    pub(super) probe: Option<Peer>,
    pub(super) limits: Limits,
}

impl Default for Callback {
    fn default() -> Self {
        Callback {
            listen: "127.0.0.1:8443".to_owned(),
            context_root: String::new(),
            response_host: None,
            payload: Payload::Encrypted,
            refusal_status: 400,
            proxy_protocol_from: Vec::new(),
            tls: Tls::default(),
            forwarded: None,
            probe: None,
            limits: Limits::default(),
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    Encrypted,
    Plain,
    Either,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Option<String>,
    pub(super) private_key: Option<String>,
    pub(super) client_auth: ClientAuth,
    pub(super) client_roots: Vec<String>,
    pub(super) client_names: Option<Vec<String>>,
    pub(super) client_pins: Vec<String>,
    pub(super) client_eku_required: bool,
    pub(super) crls: Vec<String>,
    pub(super) crl_expiry_enforced: bool,
    pub(super) peers: Vec<Peer>,
}

impl Default for Tls {
    fn default() -> Self {
        Tls {
            certificate: None,
            private_key: None,
            client_auth: ClientAuth::Required,
            client_roots: Vec::new(),
            client_names: None,
            client_pins: Vec::new(),
            client_eku_required: true,
            crls: Vec::new(),
            crl_expiry_enforced: false,
            peers: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientAuth {
    Required,
    Forwarded,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Peer {
    pub(super) roots: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) pins: Vec<String>,
    pub(super) organization: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Forwarded {
    pub(super) from: Vec<String>,
    pub(super) form: Option<Form>,
    pub(super) header: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) shared_secret: Option<Secret>,
    pub(super) shared_secret_header: Option<String>,
    pub(super) mutual_tls: Option<Peer>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Envoy,
    Aws,
    Nginx,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) handshake_secs: u64,
    pub(super) first_request_secs: u64,
    pub(super) idle_secs: u64,
    pub(super) body_secs: u64,
    pub(super) body_bytes_max: u64,
    pub(super) drain_bytes_max: u64,
    pub(super) drain_secs: u64,
    pub(super) connections_max: u64,
    pub(super) connection_age_secs: u64,
    pub(super) answer_secs: u64,
    pub(super) stop_secs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            handshake_secs: 10,
            first_request_secs: 10,
            idle_secs: 75,
            body_secs: 10,
            body_bytes_max: 1_048_576,
            drain_bytes_max: 8_388_608,
            drain_secs: 5,
            connections_max: 12_000,
            connection_age_secs: 3_600,
            answer_secs: 10,
            stop_secs: 25,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Key {
    pub(super) private_key: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) password: Option<Secret>,
    pub(super) certificate: Option<String>,
    pub(super) fingerprints: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) unknown_fingerprint: UnknownFingerprint,
    pub(super) legacy_pkcs1_v15: bool,
    pub(super) expired: Expired,
}

impl Default for Envelope {
    fn default() -> Self {
        Envelope {
            unknown_fingerprint: UnknownFingerprint::TryAll,
            legacy_pkcs1_v15: false,
            expired: Expired::Apply,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnknownFingerprint {
    TryAll,
    Reject,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expired {
    Apply,
    Refuse,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    #[serde(deserialize_with = "one_or_many")]
    pub(super) url: Vec<Secret>,
    pub(super) migrate_on_start: bool,
    pub(super) connections_max: u64,
    pub(super) deadline_secs: u64,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            url: vec![Secret::new("sqlite://data/receiver.db")],
            migrate_on_start: true,
            connections_max: 10,
            deadline_secs: 5,
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Inbox {
    pub(super) queue_max: u64,
    pub(super) batch_max: u64,
    pub(super) retry_window_secs: u64,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            queue_max: 2_048,
            batch_max: 256,
            retry_window_secs: 900,
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: String,
    pub(super) hosts: Vec<String>,
    pub(super) tls: Option<AdminTls>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin {
            listen: "127.0.0.1:9443".to_owned(),
            hosts: Vec::new(),
            tls: None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AdminTls {
    pub(super) certificate: Option<String>,
    pub(super) private_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) stop_overtakes_after: String,
}

impl Default for Delivery {
    fn default() -> Self {
        Delivery {
            stop_overtakes_after: "60s".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Destination {
    pub(super) name: Option<String>,
    pub(super) kind: DestinationKind,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) url: Vec<Secret>,
    pub(super) events: Vec<String>,
    pub(super) token_requestor_ids: Vec<String>,
    pub(super) start: Start,
    pub(super) concurrency: u64,
    pub(super) retry_schedule: Vec<String>,
    pub(super) allow_networks: Vec<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) proxy: Option<Secret>,
    pub(super) roots: Vec<String>,
    pub(super) client_certificate: Option<String>,
    pub(super) client_key: Option<String>,
    pub(super) connect_secs: u64,
    pub(super) total_secs: u64,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) secrets: Vec<Secret>,
    pub(super) secret_files: Vec<String>,
    pub(super) include_token_number: bool,
    pub(super) subject: String,
    pub(super) stream: Option<String>,
    pub(super) create_stream: bool,
    pub(super) credentials: Option<String>,
    pub(super) topic: String,
    pub(super) sasl: Sasl,
    pub(super) exchange: Option<String>,
    pub(super) routing_key: String,
}

impl Default for Destination {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Destination {
            name: None,
            kind: DestinationKind::Webhook,
            url: Vec::new(),
            events: texts(&["*"]),
            token_requestor_ids: Vec::new(),
            start: Start::Now,
            concurrency: 32,
            retry_schedule: texts(&["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"]),
            allow_networks: Vec::new(),
            proxy: None,
            roots: Vec::new(),
            client_certificate: None,
            client_key: None,
            connect_secs: 5,
            total_secs: 15,
            secrets: Vec::new(),
            secret_files: Vec::new(),
            include_token_number: false,
            subject: "tokens.{token_requestor_id}.{type}".to_owned(),
            stream: None,
            create_stream: false,
            credentials: None,
            topic: "tokens".to_owned(),
            sasl: Sasl::ScramSha512,
            exchange: None,
            routing_key: "tokens.{token_requestor_id}.{type}".to_owned(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DestinationKind {
    Webhook,
    Nats,
    Kafka,
    #[serde(rename = "rabbitmq")]
    RabbitMq,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
pub(super) enum Sasl {
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Start {
    Now,
    Beginning,
    Snapshot,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokenExCallbacks {
    pub(super) listen: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) private_key: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) path_secret: Option<Secret>,
    pub(super) allow_from: Vec<String>,
    pub(super) proxy_protocol_from: Vec<String>,
    pub(super) apply: Apply,
    pub(super) answer_status: u64,
    pub(super) answer_body: String,
    pub(super) refusal_status: u64,
}

impl Default for TokenExCallbacks {
    fn default() -> Self {
        TokenExCallbacks {
            listen: None,
            certificate: None,
            private_key: None,
            path_secret: None,
            allow_from: Vec::new(),
            proxy_protocol_from: Vec::new(),
            apply: Apply::Confirmed,
            answer_status: 200,
            answer_body: String::new(),
            refusal_status: 400,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Apply {
    Confirmed,
    AtOnce,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Watch {
    pub(super) silence: String,
    pub(super) first_within: String,
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            silence: "auto".to_owned(),
            first_within: "24h".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: LogFormat,
    pub(super) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Pretty,
            filter: "info".to_owned(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LogFormat {
    Pretty,
    Json,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) every: String,
    pub(super) notifications: String,
    pub(super) statements: String,
    pub(super) events: String,
    pub(super) quarantine: String,
    pub(super) commands: String,
    pub(super) reconciles: String,
}

impl Default for Retention {
    fn default() -> Self {
        let kept = || "400d".to_owned();
        Retention {
            every: "1d".to_owned(),
            notifications: kept(),
            statements: kept(),
            events: kept(),
            quarantine: kept(),
            commands: kept(),
            reconciles: kept(),
        }
    }
}
