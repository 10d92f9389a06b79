//! The ports: free, or taken by a receiver of ours; and files enough for the connections.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::findings::Findings;
use super::probe;
use crate::config::settings::Settings;
use crate::service::ALIVE;

/// Besides connections: the store, listeners, files.
const FILES_BESIDES: u64 = 100;

pub(super) async fn examine(settings: &Settings, findings: &mut Findings) {
    let ours = probe::get(&settings.admin, "/livez")
        .await
        .is_ok_and(|answer| answer.body == ALIVE);
    port("callback.listen", settings.callback.listen, ours, findings).await;
    port("admin.listen", settings.admin.listen, ours, findings).await;
    if let Some(callbacks) = &settings.tokenex_callbacks {
        port("tokenex_callbacks.listen", callbacks.listen, ours, findings).await;
    }
    files(settings.callback.limits.connections_max, findings);
}

async fn port(subject: &str, address: SocketAddr, ours: bool, findings: &mut Findings) {
    match TcpListener::bind(address).await {
        Ok(_) => findings.ok(subject, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && ours => {
            findings.ok(subject, format!("{address} is taken by a running mdes-receiver"));
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let port = address.port();
            let hint = format!("`ss -ltnp sport = :{port}` says by whom; stop it, or choose another port");
            findings.fail(subject, format!("{address} is taken by something else"), hint);
        }
        Err(error) => {
            let hint = "is it an address of this machine, and is the port above 1023 or the user allowed below?";
            findings.fail(subject, format!("{address}: {error}"), hint);
        }
    }
}

fn files(connections_max: usize, findings: &mut Findings) {
    let needed = connections_max as u64 + FILES_BESIDES;
    let Ok((_, most)) = rlimit::Resource::NOFILE.get() else {
        return;
    };
    if most < needed {
        let text = format!("{connections_max}, but this user may open {most} files only");
        let hint = format!("raise the hard limit of open files to {needed} (LimitNOFILE=), or lower the setting");
        findings.warn("callback.limits.connections_max", text, hint);
    }
}
