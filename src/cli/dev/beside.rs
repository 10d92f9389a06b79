//! The token services that `dev` plays beside the receiver: somebody who can be asked to suspend a token.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::READY_WITHIN;
use crate::cli::simulate::services::names;
use crate::domain::id::TokenReference;
use crate::domain::masked::Secret;
use crate::simulator::dev_files::Pair;
use crate::simulator::services::tokens::{NewToken, State};
use crate::simulator::services::{Post, Services, Settings};
use crate::store::desk::{Desk, Link};
use crate::store::{Memory, Store};

const TOKENS: usize = 3;

pub(super) async fn start(listen: SocketAddr, signing: &Pair) -> anyhow::Result<Services> {
    let certificate = std::fs::read(&signing.certificate);
    let certificate = certificate.with_context(|| signing.certificate.display().to_string())?;
    let seed = uuid::Uuid::now_v7().as_u128() as u64;
    let settings = Settings {
        listen,
        seed,
        signing_certificate: Some(certificate),
        ..Settings::default()
    };
    Services::start(settings).await.context("--services")
}

/// What the receiver must be told to use them.
pub(super) fn lifecycle(services: &Services, signing_key: String) -> Vec<(String, String)> {
    let known = Settings::default();
    let settings = [
        ("lifecycle.through", "mdes".to_owned()),
        ("lifecycle.allow_networks", "[\"127.0.0.0/8\", \"::1/128\"]".to_owned()),
        ("lifecycle.tokenex.url", services.tokenex_url()),
        ("lifecycle.tokenex.tokenex_id", known.tokenex_id),
        ("lifecycle.tokenex.api_key", known.api_key),
        ("lifecycle.mdes.url", services.mdes_url()),
        ("lifecycle.mdes.consumer_key", known.consumer_key),
        ("lifecycle.mdes.signing_key", signing_key),
    ];
    settings.map(|(key, value)| (key.to_owned(), value)).to_vec()
}

/// The port of TokenEx's own notifications; any, where the services are on any.
const CALLBACKS_PORT: u16 = 8543;

/// What the receiver must be told to hear TokenEx's own notifications: nothing on this machine knows the path but we.
pub(super) fn callbacks(services: SocketAddr, certificate: String, private_key: String) -> Vec<(String, String)> {
    let port = if services.port() == 0 { 0 } else { CALLBACKS_PORT };
    let secret = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()].map(|id| id.simple().to_string());
    let settings = [
        ("listen", format!("127.0.0.1:{port}")),
        ("certificate", certificate),
        ("private_key", private_key),
        ("path_secret", secret.concat()),
        ("allow_from", "[\"127.0.0.0/8\"]".to_owned()),
    ];
    settings
        .map(|(key, value)| (format!("tokenex_callbacks.{key}"), value))
        .to_vec()
}

/// Lets TokenEx's own notifications come there.
pub(super) fn overheard(services: &Services, at: SocketAddr, secret: &Secret, roots: &Path) -> anyhow::Result<()> {
    let roots = std::fs::read(roots).with_context(|| roots.display().to_string())?;
    let url = format!("https://{at}/{}/state", secret.expose());
    services.notify_tokenex(Post::to(&url, Some(&roots))?);
    Ok(())
}

/// Makes the token that the scenarios were about, as they left it, and a few that are active; announces those through
/// the door, waits until they are held, and links their names. Says what there is, and what to do with it.
pub(super) async fn tokens(services: &Services, memory: &Arc<Memory>, told_of: &str) -> anyhow::Result<String> {
    let gone = NewToken {
        token_unique_reference: Some(told_of.to_owned()),
        state: State::Deactivated,
        ..NewToken::default()
    };
    let mut made = services.make(&gone)?;
    for _ in 0..TOKENS {
        let new = NewToken {
            announce: true,
            ..NewToken::default()
        };
        made.extend(services.make(&new)?);
    }
    let name = |token: &serde_json::Value, key: &str| token[key].as_str().unwrap_or_default().to_owned();
    let links: Vec<Link> = made
        .iter()
        .map(|token| Link {
            token_unique_reference: name(token, "token_unique_reference"),
            tokenex_token: name(token, "token"),
            token_reference_id: Some(name(token, "token_reference_id")),
        })
        .collect();
    memory.link(&links).await?;
    let last = &links[links.len() - 1].token_unique_reference;
    held(memory, last).await?;
    let mut text =
        "\nTokens that can be suspended, resumed and deleted (TokenEx's token, its tokenReferenceId, MDES's \
                    reference):\n\n"
            .to_owned();
    for line in names(&services.shown()) {
        text += &format!("  {line}\n");
    }
    // As it was called, since it need not be on the path.
    let program = std::env::args().next().unwrap_or_else(|| "mdes-receiver".to_owned());
    text += &format!(
        "\nSuspend one, in another terminal:\n\n\
         {program} --config config/dev.toml lifecycle suspend {last} --wait\n\n\
         Let an issuer hold it too, and see that your own resume is not enough:\n\n\
         curl http://{}/tokens -H 'content-type: application/json' \\\n  \
         -d '{{\"do\": \"hold\", \"name\": \"{last}\", \"by\": \"ISSUER\"}}'\n",
        services.address(),
    );
    Ok(text)
}

/// Until the last of them, which was announced last, has come through the door.
async fn held(memory: &Memory, reference: &str) -> anyhow::Result<()> {
    let reference = TokenReference::mdes(reference);
    let coming = async {
        while memory.token(&reference).await?.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    let came = tokio::time::timeout(READY_WITHIN, coming).await;
    came.with_context(|| format!("no token was announced within {READY_WITHIN:?}"))?
}
