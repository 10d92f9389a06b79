//! Names to addresses.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// Tells a name's addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All of them, in the order to be tried.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As this machine does it: `/etc/hosts`, DNS.
pub struct System;

#[async_trait]
impl Resolver for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((name, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}
