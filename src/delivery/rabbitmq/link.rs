//! One connection to one server, from its beginning until it breaks.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::failed::{unconnected, unpublished};
use super::server::Server;
use crate::config::settings::Egress;
use crate::delivery::broker::{Living, failed, tls};
use crate::delivery::{Answer, Failure, Outgoing, Sent, shown};

/// AMQP's number for a message that survives a restart, in a queue that does.
const PERSISTENT: u8 = 2;

/// A living connection. When it is dropped it closes.
pub(super) struct Link {
    connection: Connection,
    /// Those that nobody is using, at most as many as there were attempts at once. An attempt has one to itself: so
    /// what is confirmed and what is returned on it can be no other's.
    channels: Mutex<Vec<Channel>>,
}

impl Link {
    /// Connects to the first of its addresses that takes us.
    pub(super) async fn connect(server: &Server, egress: &Egress) -> Result<Self, Sent> {
        let (host, settings) = (server.host.clone(), egress.clone());
        let read = tokio::task::spawn_blocking(move || tls::config(&host, &settings));
        let tls = match read.await {
            Ok(read) => read.map_err(|why| failed(Failure::Tls, &why))?,
            Err(_) => {
                return Err(failed(
                    Failure::Connection,
                    "its files could not be read: we are stopping",
                ));
            }
        };
        let tls = RustlsConnector::from(tls);
        let mut failure = failed(Failure::Unresolved, "its name has no address");
        for address in server.addresses(egress).await? {
            match timeout(egress.connect, to(address, server, tls.clone())).await {
                Ok(Ok(connection)) => {
                    return Ok(Link {
                        connection,
                        channels: Mutex::default(),
                    });
                }
                Ok(Err(why)) => failure = unconnected(&why),
                Err(_) => failure = failed(Failure::Timeout, "no connection in time"),
            }
        }
        Err(failure)
    }

    /// Publishes, and waits until the server confirms that every queue which is to have it has it, on disk if the queue
    /// is durable.
    pub(super) async fn publish(&self, exchange: &str, key: &str, outgoing: &Outgoing) -> Result<Answer, Sent> {
        let channel = self.channel().await.map_err(|why| unpublished(&why, exchange))?;
        let properties = BasicProperties::default()
            .with_message_id(outgoing.id.to_string().into())
            .with_type(outgoing.kind.as_str().into())
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions {
            // Where no queue takes it, it comes back instead of being thrown away.
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let sent = channel.basic_publish(exchange.into(), key.into(), options, &outgoing.body, properties);
        let confirmation = async { sent.await?.await }.await;
        match confirmation.map_err(|why| unpublished(&why, exchange))? {
            Confirmation::Ack(None) => {
                self.channels
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(channel);
                let text = shown(&format!("exchange {exchange}, routing key {key}"));
                Ok(Answer { status: None, text })
            }
            Confirmation::Ack(Some(_)) => Err(failed(
                Failure::Unacknowledged,
                &format!("no queue takes the routing key {key}: bind one to the exchange {exchange}"),
            )),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(failed(
                Failure::Unacknowledged,
                "the server did not confirm it: a queue is full, or could not keep it",
            )),
        }
    }

    async fn channel(&self) -> lapin::Result<Channel> {
        let unused = || self.channels.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(channel) = unused() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }
}

/// Connects to this very address, and asks for the name of the URL's host.
async fn to(address: SocketAddr, server: &Server, tls: RustlsConnector) -> lapin::Result<Connection> {
    let (secure, host) = (server.tls(), server.host.clone());
    let options = ConnectionProperties::default().with_connection_name(env!("CARGO_PKG_NAME").into());
    let runtime = lapin::runtime::default_runtime()?;
    let connect = async move |_, runtime| {
        let stream = AsyncTcpStream::connect(&runtime, address).await?;
        let stream = if secure {
            stream.into_rustls(&tls, &host).await?
        } else {
            stream
        };
        Ok(stream)
    };
    Connection::connector(server.uri.clone(), runtime, connect, options).await
}

impl Living for Link {
    fn is_over(&self) -> bool {
        !self.connection.status().connected()
    }
}
