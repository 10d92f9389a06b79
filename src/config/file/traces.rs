//! `[traces]`, as written.

use serde::Deserialize;

use crate::config::secrets::{one_or_many, secret};
use crate::domain::masked::Secret;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Traces {
    pub(in crate::config) endpoint: Option<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) headers: Vec<Secret>,
    pub(in crate::config) one_in: u64,
    pub(in crate::config) service_name: String,
    pub(in crate::config) client_certificate: Option<String>,
    pub(in crate::config) client_key: Option<String>,
    pub(in crate::config) roots: Vec<String>,
    pub(in crate::config) allow_networks: Vec<String>,
    #[serde(deserialize_with = "secret")]
    pub(in crate::config) proxy: Option<Secret>,
    pub(in crate::config) connect_secs: u64,
    pub(in crate::config) total_secs: u64,
}

impl Default for Traces {
    fn default() -> Self {
        Traces {
            endpoint: None,
            headers: Vec::new(),
            one_in: 1,
            service_name: "mdes-receiver".to_owned(),
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
