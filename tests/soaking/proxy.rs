//! A TCP proxy on loopback, which may be moved to another address and has weather.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long a connection whose other end is gone without a word is kept.
const SILENT_FOR: Duration = Duration::from_secs(20);
const CHUNK_BYTES: usize = 16 << 10;

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Clear,
    /// Each piece waits.
    Slow(Duration),
    /// So many bytes a second.
    Narrow(u64),
    /// Every connection is cut, and no new one is made.
    Cut,
    /// Connections stay, and nothing passes any more, not even later.
    HalfOpen,
}

/// A proxy, for as long as the program runs.
pub struct Proxy {
    pub address: SocketAddr,
    told: watch::Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    weather: Weather,
    target: Option<SocketAddr>,
}

impl Proxy {
    pub async fn to(target: Option<SocketAddr>) -> std::io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let weather = Weather::Clear;
        let (told, state) = watch::channel(State { weather, target });
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                tokio::spawn(join(inner, state.clone()));
            }
        });
        Ok(Arc::new(Proxy { address, told }))
    }

    pub fn weather(&self, weather: Weather) {
        self.told.send_modify(|state| state.weather = weather);
    }

    /// What is connected from now on goes there; what is connected stays where it is.
    pub fn move_to(&self, target: SocketAddr) {
        self.told.send_modify(|state| state.target = Some(target));
    }
}

/// One connection, from its beginning to its end.
async fn join(near: TcpStream, state: watch::Receiver<State>) {
    let now = *state.borrow();
    let target = match (now.weather, now.target) {
        (Weather::HalfOpen, _) => return silence(near).await,
        (Weather::Cut, _) | (_, None) => return,
        (_, Some(target)) => target,
    };
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let mut weather = state.clone();
    tokio::select! {
        _ = async { tokio::join!(pass(near_in, far_out, state.clone()), pass(far_in, near_out, state.clone())) } => {}
        () = turned(&mut weather, Weather::Cut) => {}
    }
}

/// Until one side ends, or falls silent for good.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: watch::Receiver<State>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut changed = state.clone();
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            () = turned(&mut changed, Weather::HalfOpen) => return sleep(SILENT_FOR).await,
        };
        let Ok(length @ 1..) = read else {
            let _ = to.shutdown().await; // it may be gone too
            return;
        };
        let weather = state.borrow().weather;
        match weather {
            Weather::Slow(wait) => sleep(wait).await,
            Weather::Narrow(rate) => sleep(Duration::from_secs_f64(length as f64 / rate as f64)).await,
            Weather::HalfOpen => return sleep(SILENT_FOR).await,
            Weather::Clear | Weather::Cut => {}
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

/// Returns when it has that weather; never, if nobody makes weather any more.
async fn turned(state: &mut watch::Receiver<State>, to: Weather) {
    if state.wait_for(|state| state.weather == to).await.is_err() {
        std::future::pending().await
    }
}

async fn silence(near: TcpStream) {
    sleep(SILENT_FOR).await;
    drop(near);
}
