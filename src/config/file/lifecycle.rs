//! `[lifecycle]` as an operator writes it.

use serde::Deserialize;

use crate::config::secrets::secret;
use crate::domain::masked::Secret;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Lifecycle {
    pub(in crate::config) through: Option<Through>,
    pub(in crate::config) confirm_within: String,
    pub(in crate::config) sends_max: u64,
    pub(in crate::config) calls_per_second: u64,
    pub(in crate::config) delete_needs_two: bool,
    pub(in crate::config) allow_networks: Vec<String>,
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) proxy: Option<Secret>,
    pub(in crate::config) roots: Vec<String>,
    pub(in crate::config) client_certificate: Option<String>,
    pub(in crate::config) client_key: Option<String>,
    pub(in crate::config) connect_secs: u64,
    pub(in crate::config) total_secs: u64,
    pub(in crate::config) tokenex: Option<TokenEx>,
    pub(in crate::config) mdes: Option<Mdes>,
    pub(in crate::config) clients: Vec<Client>,
    pub(in crate::config) contract: Contract,
    pub(in crate::config) reconcile: Reconcile,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Lifecycle {
            through: None,
            confirm_within: "5m".to_owned(),
            sends_max: 3,
            calls_per_second: 5,
            delete_needs_two: false,
            allow_networks: Vec::new(),
            proxy: None,
            roots: Vec::new(),
            client_certificate: None,
            client_key: None,
            connect_secs: 5,
            total_secs: 15,
            tokenex: None,
            mdes: None,
            clients: Vec::new(),
            contract: Contract::default(),
            reconcile: Reconcile::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Reconcile {
    pub(in crate::config) after_gaps: bool,
}

impl Default for Reconcile {
    fn default() -> Self {
        Reconcile { after_gaps: true }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Through {
    TokenEx,
    Mdes,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct TokenEx {
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) url: Option<Secret>,
    pub(in crate::config) tokenex_id: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) api_key: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Mdes {
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) url: Option<Secret>,
    pub(in crate::config) consumer_key: Option<String>,
    pub(in crate::config) signing_key: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) signing_key_password: Option<Secret>,
    pub(in crate::config) response_host: Option<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Client {
    pub(in crate::config) tokenex_id: Option<String>,
    pub(in crate::config) api_key_sha256: Option<String>,
    pub(in crate::config) actions: Vec<Action>,
}

impl Default for Client {
    fn default() -> Self {
        Client {
            tokenex_id: None,
            api_key_sha256: None,
            actions: vec![Action::Suspend, Action::Resume],
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
pub(in crate::config) enum Action {
    #[serde(rename = "SUSPEND_TOKEN")]
    Suspend,
    #[serde(rename = "RESUME_TOKEN")]
    Resume,
    #[serde(rename = "DELETE_TOKEN")]
    Delete,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Contract {
    pub(in crate::config) unauthorized: u64,
    pub(in crate::config) malformed: u64,
    pub(in crate::config) unknown_token: u64,
    pub(in crate::config) network_refused: u64,
    pub(in crate::config) network_timeout: u64,
    pub(in crate::config) internal: u64,
    pub(in crate::config) wait_secs: u64,
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
            wait_secs: 30,
        }
    }
}
