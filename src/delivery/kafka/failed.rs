//! What went wrong with a cluster, in our words, and of which class it is.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::delivery::broker::failed;
use crate::delivery::{Failure, Sent};

/// What the library complained of, beside any message.
pub(super) fn complaint(error: &KafkaError, reason: &str) -> Option<Sent> {
    let sent = match error.rdkafka_error_code()? {
        // It says nothing of why.
        Code::AllBrokersDown => return None,
        // What OpenSSL refuses itself is called a broken transport.
        code if code == Code::SSL || reason.contains("SSL routines") => tls(reason),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => failed(
            Failure::Refused,
            &format!("it does not let us in: {reason}; see the URL's user, and `sasl`"),
        ),
        Code::Resolve => failed(Failure::Unresolved, reason),
        Code::OperationTimedOut => failed(Failure::Timeout, reason),
        _ => failed(Failure::Connection, reason),
    };
    Some(sent)
}

fn tls(reason: &str) -> Sent {
    let lower = reason.to_ascii_lowercase();
    let is_too_old = ["unsupported protocol", "protocol version"]
        .iter()
        .any(|words| lower.contains(words));
    let class = if is_too_old { Failure::TlsTooOld } else { Failure::Tls };
    failed(class, &format!("no TLS with it: {reason}"))
}

/// The producer could not be made. Its settings may hold a password, so that only the names of them are told.
pub(super) fn unmade(error: &KafkaError) -> Sent {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => failed(
            Failure::Refused,
            &format!("the Kafka library does not take its setting `{key}`"),
        ),
        KafkaError::ClientCreation(why) => failed(Failure::Tls, &format!("the producer could not be made: {why}")),
        _ => failed(Failure::Connection, "the producer could not be made"),
    }
}

/// The cluster's servers and topics could not be asked for.
pub(super) fn unasked(error: &KafkaError) -> Sent {
    match error.rdkafka_error_code() {
        Some(Code::OperationTimedOut) => failed(Failure::Timeout, "the cluster did not tell of its servers in time"),
        _ => failed(
            Failure::Connection,
            &format!("the cluster did not tell of its servers: {error}"),
        ),
    }
}

/// It was given to the library, and did not come to lie with all replicas.
pub(super) fn unproduced(error: &KafkaError, topic: &str) -> Sent {
    let Some(code) = error.rdkafka_error_code() else {
        return failed(Failure::Unacknowledged, &format!("not taken: {error}"));
    };
    match code {
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => failed(
            Failure::Unacknowledged,
            &format!("there is no topic {topic}: make it, with the partitions and replicas that you want"),
        ),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => failed(
            Failure::Refused,
            &format!("the event is larger than the topic's `max.message.bytes`, or than a million bytes: {error}"),
        ),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::InvalidTopic => failed(
            Failure::Refused,
            &format!("it does not let us write to the topic {topic}: {error}"),
        ),
        Code::MessageTimedOut | Code::OperationTimedOut | Code::RequestTimedOut => {
            failed(Failure::Timeout, "no acknowledgement in time")
        }
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::PurgeQueue | Code::PurgeInflight => {
            failed(Failure::Connection, "the connection broke")
        }
        Code::QueueFull => failed(Failure::Busy, "too many events wait for the cluster already"),
        _ => failed(Failure::Unacknowledged, &format!("not taken: {error}")),
    }
}
