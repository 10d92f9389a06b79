//! The library's own cluster in this process, and another client that looks at what lies in it.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(10);

/// Gone when the value is.
pub struct Cluster {
    pub mock: MockCluster<'static, DefaultProducerContext>,
}

/// What a consumer sees of one event.
#[derive(Debug, PartialEq)]
pub struct Record {
    pub partition: i32,
    pub key: String,
    pub body: String,
    pub headers: Vec<(String, String)>,
}

impl Cluster {
    /// Of one server, with a topic of so many partitions.
    pub fn with(topic: &str, partitions: i32) -> Self {
        let mock = MockCluster::new(1).expect("a cluster");
        mock.create_topic(topic, partitions, 1).expect("a topic");
        Cluster { mock }
    }

    pub fn address(&self) -> String {
        self.mock.bootstrap_servers()
    }

    pub fn port(&self) -> u16 {
        let port = self.address().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.expect("an address has a port")
    }

    pub fn url(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.port())
    }

    /// Everything that lies in the topic, partition by partition, each in its order.
    pub fn kept(&self, topic: &str) -> Vec<Record> {
        tokio::task::block_in_place(|| {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", self.address())
                .set("group.id", "who looks")
                .create()
                .expect("a consumer");
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("it answers");
            let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|one| one.id()).collect();
            partitions
                .iter()
                .flat_map(|partition| records(&consumer, topic, *partition))
                .collect()
        })
    }
}

fn records(consumer: &BaseConsumer, topic: &str, partition: i32) -> Vec<Record> {
    let (low, high) = consumer
        .fetch_watermarks(topic, partition, PATIENCE)
        .expect("it answers");
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(topic, partition, Offset::Beginning)
        .expect("a beginning");
    consumer.assign(&all).expect("it is there");
    let next = |_| {
        // Some answers are about the consumer itself.
        let message = (0..100).find_map(|_| consumer.poll(PATIENCE / 100));
        record(&message.expect("one more is there").expect("it can be read").detach())
    };
    (low..high).map(next).collect()
}

fn record(message: &OwnedMessage) -> Record {
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text");
    let headers = message.headers().expect("headers").iter();
    Record {
        partition: message.partition(),
        key: text(message.key()),
        body: text(message.payload()),
        headers: headers
            .map(|header| (header.key.to_owned(), text(header.value)))
            .collect(),
    }
}
