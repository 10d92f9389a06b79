//! Stands before a cluster: ends TLS, asks for a login, and tells clients another address of the server than its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

/// How a server calls itself in the protocol: its host and its port.
const OWN_HOST: &str = "127.0.0.1";
/// How the one question begins that is answered before a login.
const API_VERSIONS: &[u8] = &[0, 18];
/// And the one that begins a login.
const SASL_HANDSHAKE: &[u8] = &[0, 17];

/// What stands before the cluster.
#[derive(Clone, Default)]
pub struct Front {
    pub tls: Option<Arc<ServerConfig>>,
    /// The user and the password that it asks for, by SASL's PLAIN.
    pub login: Option<(&'static str, &'static str)>,
    /// The server that it tells of instead of itself.
    pub told: Option<(&'static str, u16)>,
}

impl Front {
    /// Begins to listen before that port; its own.
    pub async fn before(self, port: u16) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(client, port, own));
            }
        });
        own
    }

    async fn serve(self, client: TcpStream, port: u16, own: u16) {
        match self.tls.clone().map(TlsAcceptor::from) {
            None => self.between(client, port, own).await,
            Some(acceptor) => {
                if let Ok(client) = acceptor.accept(client).await {
                    self.between(client, port, own).await;
                }
            }
        }
    }

    /// Each question and each answer is a frame behind its length.
    async fn between<C: AsyncRead + AsyncWrite>(self, client: C, port: u16, own: u16) {
        let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        let (mut from_server, mut to_server) = server.expect("the cluster is there").into_split();
        let (mut from_client, to_client) = tokio::io::split(client);
        let to_client = Mutex::new(to_client);
        let told = self.told.unwrap_or((OWN_HOST, own));
        let login = self.login.map(|(user, password)| format!("\0{user}\0{password}"));
        let let_in = AtomicBool::new(login.is_none());
        let there = async {
            while let Ok(frame) = read(&mut from_client).await {
                if login.as_ref().is_some_and(|login| login.as_bytes() == frame) {
                    let_in.store(true, Ordering::Relaxed);
                    write(&mut *to_client.lock().await, b"").await?;
                } else if !let_in.load(Ordering::Relaxed) && frame.starts_with(SASL_HANDSHAKE) {
                    let answer = [&frame[4..8], &[0, 0, 0, 0, 0, 1, 0, 5], b"PLAIN"].concat();
                    write(&mut *to_client.lock().await, &answer).await?;
                } else if let_in.load(Ordering::Relaxed) || frame.starts_with(API_VERSIONS) {
                    write(&mut to_server, &frame).await?;
                } else {
                    break;
                }
            }
            std::io::Result::Ok(())
        };
        let back = async {
            while let Ok(mut frame) = read(&mut from_server).await {
                rename(&mut frame, port, told);
                if !let_in.load(Ordering::Relaxed) {
                    add_handshake(&mut frame);
                }
                write(&mut *to_client.lock().await, &frame).await?;
            }
            std::io::Result::Ok(())
        };
        tokio::select! { _ = there => (), _ = back => () }
    }
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = vec![0; usize::try_from(length).expect("it fits")];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> std::io::Result<()> {
    to.write_u32(u32::try_from(frame.len()).expect("it fits")).await?;
    to.write_all(frame).await?;
    to.flush().await
}

/// The cluster knows no logins: to what it says that it can (key, least and greatest version of each question) comes
/// the question that begins one.
fn add_handshake(frame: &mut Vec<u8>) {
    let handshake = [0, 17, 0, 0, 0, 0];
    let is_compact = frame[6] != 0;
    if is_compact {
        frame[6] += 1;
        frame.splice(7..7, handshake.into_iter().chain([0]));
    } else {
        frame[9] += 1;
        frame.splice(10..10, handshake);
    }
}

/// Wherever the server's host and port stand, others of the same length stand afterwards.
fn rename(frame: &mut [u8], port: u16, (host, told): (&str, u16)) {
    let own = [OWN_HOST.as_bytes(), &u32::from(port).to_be_bytes()].concat();
    let other = [host.as_bytes(), &u32::from(told).to_be_bytes()].concat();
    assert_eq!(own.len(), other.len());
    for at in 0..frame.len().saturating_sub(own.len() - 1) {
        let here = &mut frame[at..at + own.len()];
        if *here == own[..] {
            here.copy_from_slice(&other);
        }
    }
}
