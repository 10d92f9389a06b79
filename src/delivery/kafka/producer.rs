//! How the library is set up.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::server::Servers;
use crate::config::settings::{self, Egress};

/// How long a message may wait in the library: less than an attempt, so that it is given up there before here.
pub(super) fn message_timeout(egress: &Egress) -> Duration {
    egress.total * 3 / 4
}

/// Reads the files as they are now. Errors name the setting and the file, and nothing of a key.
pub(super) fn config(servers: &Servers, settings: &settings::Kafka, egress: &Egress) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::new();
    let millis = |duration: Duration| duration.as_millis().to_string();
    let connect = egress.connect.clamp(Duration::from_secs(1), Duration::from_secs(60));
    config
        .set("bootstrap.servers", servers.bootstrap())
        .set("client.id", env!("CARGO_PKG_NAME"))
        // All in-sync replicas, in order, and once however often the library itself retries.
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // As the Java client: a token is in the same partition whoever writes.
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "0")
        .set("message.timeout.ms", millis(message_timeout(egress)))
        .set("socket.connection.setup.timeout.ms", millis(connect))
        .set("socket.timeout.ms", millis(egress.total))
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        // A topic that was made after we asked for it is soon seen.
        .set("topic.metadata.propagation.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("security.protocol", protocol(servers));
    if let Some((user, password)) = &servers.login {
        config
            .set("sasl.mechanism", settings.sasl.as_str())
            .set("sasl.username", user.expose())
            .set("sasl.password", password.expose());
    }
    if servers.tls {
        tls(&mut config, servers, egress)?;
    }
    Ok(config)
}

fn protocol(servers: &Servers) -> &'static str {
    match (servers.tls, servers.login.is_some()) {
        (false, false) => "plaintext",
        (false, true) => "sasl_plaintext",
        (true, false) => "ssl",
        (true, true) => "sasl_ssl",
    }
}

/// The roots of the destination if it names any, else the machine's; the host's own name is asked for.
fn tls(config: &mut ClientConfig, servers: &Servers, egress: &Egress) -> Result<(), String> {
    servers.check(egress)?;
    config
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https");
    let mut roots = String::new();
    for file in &egress.roots {
        let text = fs::read_to_string(file).map_err(|e| format!("`roots`: {}: {e}", file.display()))?;
        let _ = writeln!(roots, "{text}");
    }
    if !roots.is_empty() {
        config.set("ssl.ca.pem", roots);
    }
    if let Some((certificate, key)) = &egress.client_certificate {
        config
            .set("ssl.certificate.location", certificate.display().to_string())
            .set("ssl.key.location", key.display().to_string());
    }
    Ok(())
}
