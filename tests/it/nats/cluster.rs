//! A cluster of three, of which one dies.

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use mdes_receiver::delivery::nats::Nats;
use mdes_receiver::delivery::{Destination as _, Sent};

use super::broker::{Broker, free_port, kept, make_stream};
use super::{Setup, bodies, event};
use crate::world::eventually;

/// The server that we are connected to, or the leader of the stream: either may die.
async fn goes_on_without(dies: Dies) {
    let mut servers = cluster().await;
    let urls: Vec<String> = servers.iter().map(Broker::url).collect();
    let client = servers[0].client_with(patient()).await;
    make_stream(&client, "tokens", "tokens.>", 3).await;

    let nats = Setup::to(&urls).within(Duration::from_secs(3)).open();
    for number in 0..20 {
        told(&nats, &number.to_string()).await;
    }
    let at = match dies {
        Dies::Ours => 0, // the first of the list is connected to first
        Dies::Leader => leader(&client).await,
    };
    servers[at].kill();
    for number in 20..40 {
        told(&nats, &number.to_string()).await;
    }
    let alive = servers[(at + 1) % 3].client_with(patient()).await;
    let expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&kept(&alive, "tokens").await), expected);
}

enum Dies {
    Ours,
    Leader,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_goes_on_when_the_server_that_we_are_connected_to_dies() {
    goes_on_without(Dies::Ours).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_goes_on_when_the_leader_of_the_stream_dies() {
    goes_on_without(Dies::Leader).await;
}

/// Tries the same event until it is taken, as the worker does.
async fn told(nats: &Nats, body: &str) {
    let event = event(body);
    eventually("it is taken", || async {
        matches!(nats.send(&event).await, Sent::Taken(_))
    })
    .await;
}

async fn cluster() -> Vec<Broker> {
    let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
    let routes: Vec<String> = ports
        .iter()
        .map(|(_, route)| format!("nats://127.0.0.1:{route}"))
        .collect();
    let mut servers = Vec::new();
    for (number, (port, route)) in ports.into_iter().enumerate() {
        let extra = format!(
            "server_name: n{number}\ncluster {{ name: c, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
            routes.join(", ")
        );
        servers.push(Broker::new(port, &extra));
    }
    for server in &mut servers {
        server.resume().await;
    }
    servers
}

fn patient() -> ConnectOptions {
    ConnectOptions::new().request_timeout(Some(Duration::from_secs(5)))
}

/// Which of the servers leads the stream.
async fn leader(client: &async_nats::Client) -> usize {
    let mut stream = jetstream::new(client.clone())
        .get_stream("tokens")
        .await
        .expect("a stream");
    let info = stream.info().await.expect("it answers");
    let name = info.cluster.as_ref().and_then(|cluster| cluster.leader.clone());
    let number = name.as_deref().and_then(|name| name.strip_prefix('n')?.parse().ok());
    number.expect("a leader of our names")
}
