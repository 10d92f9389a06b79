//! `[probe]`, as written.

use serde::Deserialize;

use crate::config::secrets::secret;
use crate::domain::masked::Secret;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Probe {
    pub(in crate::config) url: Option<String>,
    pub(in crate::config) every: String,
    pub(in crate::config) client_certificate: Option<String>,
    pub(in crate::config) client_key: Option<String>,
    pub(in crate::config) roots: Vec<String>,
    pub(in crate::config) allow_networks: Vec<String>,
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) proxy: Option<Secret>,
    pub(in crate::config) connect_secs: u64,
    pub(in crate::config) total_secs: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Probe {
            url: None,
            every: "1m".to_owned(),
            client_certificate: None,
            client_key: None,
            roots: Vec::new(),
            allow_networks: Vec::new(),
            proxy: None,
            connect_secs: 5,
            total_secs: 10,
        }
    }
}
