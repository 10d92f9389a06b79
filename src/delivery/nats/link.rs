//! One connection to one server, from its beginning until it breaks.

use std::fmt::Display;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, Event, ServerAddr};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::failed::{unconnected, unmade, unpublished};
use super::server::{Login, Server};
use crate::config::settings;
use crate::delivery::broker::{Living, failed, tls};
use crate::delivery::{Answer, Failure, Outgoing, Sent};

/// A living connection. When it is dropped it closes.
pub(super) struct Link {
    context: Context,
    events: Arc<Events>,
}

/// What the client told of the connection.
#[derive(Default)]
struct Events {
    broken: CancellationToken,
    /// The server is about to close it; what is under way still ends well.
    closing: AtomicBool,
    /// The server's last complaint, such as that we may not publish there.
    complaint: Mutex<Option<String>>,
}

impl Link {
    /// Connects to the first of its addresses that takes us, and makes the stream if that is wished.
    pub(super) async fn connect(
        server: &Server,
        settings: &settings::Nats,
        egress: &settings::Egress,
    ) -> Result<Self, Sent> {
        let mut failure = failed(Failure::Unresolved, "its name has no address");
        for address in server.addresses(egress).await? {
            let events = Arc::new(Events::default());
            let options = options(server, settings, egress, events.clone()).await?;
            // Without the login, which the client's own log might show.
            let scheme = if server.tls { "tls" } else { "nats" };
            let url: ServerAddr = format!("{scheme}://{address}").parse().expect("an address makes a URL");
            match options.connect(url).await {
                Ok(client) => {
                    let mut context = jetstream::new(client);
                    context.set_timeout(egress.total);
                    let link = Link { context, events };
                    link.make_stream(settings).await?;
                    return Ok(link);
                }
                Err(why) => failure = unconnected(&why),
            }
        }
        Err(failure)
    }

    /// Afterwards the stream is there, if it was to be made. One that is there already stays as it is.
    async fn make_stream(&self, settings: &settings::Nats) -> Result<(), Sent> {
        let Some(stream) = settings.stream.as_ref().filter(|_| settings.create_stream) else {
            return Ok(());
        };
        let config = Config {
            name: stream.clone(),
            subjects: settings.subject.patterns(),
            storage: StorageType::File,
            ..Config::default()
        };
        let made = self.context.get_or_create_stream(config).await;
        made.map(|_| ()).map_err(|why| unmade(&why, stream))
    }

    /// Publishes, and waits until a stream has it. Once it is `Ok` it is on the stream's disk, or with its replicas.
    pub(super) async fn publish(
        &self,
        subject: &str,
        outgoing: &Outgoing,
        stream: Option<&str>,
    ) -> Result<Answer, Sent> {
        let mut message = PublishMessage::build()
            .payload(outgoing.body.clone())
            .message_id(outgoing.id.to_string())
            .header("Content-Type", "application/json");
        if let Some(stream) = stream {
            message = message.expected_stream(stream);
        }
        tokio::select! {
            acknowledged = self.acknowledged(subject, message) => match acknowledged {
                Ok(ack) => Ok(answer(&ack)),
                Err(why) => Err(unpublished(&why, subject)),
            },
            () = self.events.broken.cancelled() => Err(failed(Failure::Connection, "the connection broke")),
        }
    }

    async fn acknowledged(&self, subject: &str, message: PublishMessage) -> Result<PublishAck, PublishError> {
        self.context.send_publish(subject.to_owned(), message).await?.await
    }

    /// Nothing was heard in time, unless the server complained: it does so beside, and only names the subject.
    pub(super) fn silence(&self, subject: &str) -> Sent {
        let mut complaint = self.events.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let subject = subject.to_lowercase();
        match complaint.take().filter(|words| words.to_lowercase().contains(&subject)) {
            Some(words) => failed(Failure::Refused, &format!("it does not let us publish: {words}")),
            None => failed(Failure::Timeout, "no acknowledgement in time"),
        }
    }
}

impl Living for Link {
    fn is_over(&self) -> bool {
        self.events.broken.is_cancelled() || self.events.closing.load(Ordering::Relaxed)
    }
}

/// How one connection is made, with the files as they are now.
async fn options(
    server: &Server,
    settings: &settings::Nats,
    egress: &settings::Egress,
    events: Arc<Events>,
) -> Result<ConnectOptions, Sent> {
    let (host, for_tls, file) = (server.host.clone(), egress.clone(), settings.credentials.clone());
    let read = tokio::task::spawn_blocking(move || {
        let tls = tls::config(&host, &for_tls).map_err(|why| failed(Failure::Tls, &why))?;
        let login = file.map(|file| credentials(&file)).transpose();
        Ok((tls, login.map_err(|why| failed(Failure::Refused, &why))?))
    });
    let cut_off = |_| {
        Err(failed(
            Failure::Connection,
            "its files could not be read: we are stopping",
        ))
    };
    let (tls, login) = read.await.unwrap_or_else(cut_off)?;
    let options = login
        .unwrap_or_default()
        .name(env!("CARGO_PKG_NAME"))
        .connection_timeout(egress.connect)
        .request_timeout(Some(egress.total))
        // A cluster's other servers are those that the settings name: one that it tells of passed no guard.
        .ignore_discovered_servers()
        // The least there is. A broken connection is never used again.
        .max_reconnects(1)
        .event_callback(move |event| {
            let events = events.clone();
            async move { events.note(event) }
        })
        .tls_client_config(tls);
    Ok(match &server.login {
        Login::None => options,
        Login::Token(token) => options.token(token.expose().to_owned()),
        Login::User(user, password) => {
            options.user_and_password(user.expose().to_owned(), password.expose().to_owned())
        }
    })
}

/// Who a `.creds` file says we are, as it is now. The parser's own words are left out, since there is a key in it.
pub(super) fn credentials(file: &Path) -> Result<ConnectOptions, String> {
    let wrong = |why: &dyn Display| format!("`credentials`: {}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|e| wrong(&e))?;
    let text = Zeroizing::new(text);
    ConnectOptions::with_credentials(&text).map_err(|_| wrong(&"no JWT and key of a NATS user in it"))
}

impl Events {
    fn note(&self, event: Event) {
        match event {
            Event::Disconnected | Event::Closed => self.broken.cancel(),
            Event::LameDuckMode => self.closing.store(true, Ordering::Relaxed),
            Event::ServerError(error) => {
                let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
                *complaint = Some(error.to_string());
            }
            _ => {}
        }
    }
}

fn answer(ack: &PublishAck) -> Answer {
    let again = if ack.duplicate { ", which had it already" } else { "" };
    Answer {
        status: None,
        text: format!("stream {}{again}, sequence {}", ack.stream, ack.sequence),
    }
}
