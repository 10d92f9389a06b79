//! Stands before a cluster: ends TLS, and tells clients another address of the server than its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How a server calls itself in the protocol: its host and its port.
const OWN_HOST: &str = "127.0.0.1";

/// Begins to listen; the port. It tells of the server at `told`, or of itself.
pub async fn before(port: u16, tls: Option<ServerConfig>, told: Option<(&'static str, u16)>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let own = listener.local_addr().expect("its address").port();
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let told = told.unwrap_or((OWN_HOST, own));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Some(acceptor) = acceptor else {
                    return between(client, port, told).await;
                };
                if let Ok(client) = acceptor.accept(client).await {
                    between(client, port, told).await;
                }
            });
        }
    });
    own
}

async fn between<C: AsyncRead + AsyncWrite>(client: C, port: u16, told: (&str, u16)) {
    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
    let (mut from_server, mut to_server) = server.expect("the cluster is there").into_split();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        // Each answer is a frame behind its length.
        while let Ok(length) = from_server.read_u32().await {
            let mut frame = vec![0; usize::try_from(length).expect("it fits")];
            from_server.read_exact(&mut frame).await?;
            rename(&mut frame, port, told);
            to_client.write_u32(length).await?;
            to_client.write_all(&frame).await?;
            to_client.flush().await?;
        }
        std::io::Result::Ok(())
    };
    tokio::select! { _ = there => (), _ = back => () }
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
