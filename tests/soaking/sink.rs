//! The merchant's endpoint: takes everything, and remembers in which order it came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use mdes_receiver::simulator::endpoint::Endpoint;
use serde_json::Value;

use crate::model::Heard;

/// What it heard so far.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<Heard>>>);

impl Sink {
    /// Listens until the program ends.
    pub async fn open() -> anyhow::Result<(Self, SocketAddr)> {
        let sink = Sink::default();
        let heard = sink.clone();
        let show = move |event: &Value| heard.all().extend(read(event));
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = Endpoint::bind(loopback, StatusCode::OK, None, Box::new(show)).await?;
        let address = endpoint.address()?;
        tokio::spawn(endpoint.run(std::future::pending()));
        Ok((sink, address))
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.all().clone()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Heard>> {
        self.0.lock().expect("no one panics while holding it")
    }
}

fn read(event: &Value) -> Option<Heard> {
    let data = &event["data"];
    Some(Heard {
        id: event["id"].as_str()?.to_owned(),
        token: data["token_unique_reference"].as_str()?.to_owned(),
        sequence: data["sequence"].as_u64()?,
        index: data["index"].as_u64()?,
        out_of_order: data["out_of_order"].as_bool().unwrap_or(false),
    })
}
