//! `[delivery]` and `[[destinations]]`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Resolver;
use super::outward;
use crate::config::error::Error;
use crate::config::{file, settings};
use crate::domain::delivery::Schedule;
use crate::domain::event::{Pattern, Subscription};
use crate::domain::masked::Secret;
use crate::domain::subject::SubjectTemplate;
use crate::domain::topic::TopicTemplate;

const NAME_CHARS_MAX: usize = 64;
const EXCHANGE_BYTES_MAX: usize = 255;
const TRIES_MAX: usize = 50;
const TOTAL_SECS_MAX: u64 = 30;

pub(super) fn delivery(delivery: &file::Delivery, at: &Resolver<'_>) -> Result<settings::Delivery, Error> {
    Ok(settings::Delivery {
        stop_overtakes_after: at.wait(&delivery.stop_overtakes_after, "delivery.stop_overtakes_after")?,
    })
}

pub(super) fn destinations(
    destinations: Vec<file::Destination>,
    at: &Resolver<'_>,
) -> Result<Vec<settings::Destination>, Error> {
    let mut resolved: Vec<settings::Destination> = Vec::with_capacity(destinations.len());
    for (index, entry) in destinations.into_iter().enumerate() {
        let key = format!("destinations[{index}]");
        let one = destination(entry, &key, at)?;
        if resolved.iter().any(|other| other.name == one.name) {
            return Err(at.invalid(format!("{key}.name"), "is the name of another destination too"));
        }
        resolved.push(one);
    }
    Ok(resolved)
}

fn destination(entry: file::Destination, key: &str, at: &Resolver<'_>) -> Result<settings::Destination, Error> {
    let name = at.required(entry.name.clone(), &format!("{key}.name"))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.chars().all(is_plain) {
        let why = format!("must have from 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`");
        return Err(at.invalid(format!("{key}.name"), why));
    }
    Ok(settings::Destination {
        name,
        subscription: subscription(&entry, key, at)?,
        schedule: schedule(&entry, key, at)?,
        start: match entry.start {
            file::Start::Now => settings::Start::Now,
            file::Start::Beginning => settings::Start::Beginning,
            file::Start::Snapshot => settings::Start::Snapshot,
        },
        concurrency: at.bounded(entry.concurrency, 1, 1_000, &format!("{key}.concurrency"))?,
        egress: outward::egress(
            &outward::Written {
                allow_networks: &entry.allow_networks,
                proxy: entry.proxy.as_ref(),
                roots: &entry.roots,
                client_certificate: entry.client_certificate.as_deref(),
                client_key: entry.client_key.as_deref(),
                connect_secs: entry.connect_secs,
                total_secs: entry.total_secs,
                total_secs_max: TOTAL_SECS_MAX,
            },
            key,
            at,
        )?,
        kind: match entry.kind {
            file::DestinationKind::Webhook => settings::DestinationKind::Webhook(webhook(entry, key, at)?),
            file::DestinationKind::Nats => settings::DestinationKind::Nats(nats(entry, key, at)?),
            file::DestinationKind::Kafka => settings::DestinationKind::Kafka(kafka(entry, key, at)?),
            file::DestinationKind::RabbitMq => settings::DestinationKind::RabbitMq(rabbitmq(entry, key, at)?),
        },
    })
}

fn subscription(entry: &file::Destination, key: &str, at: &Resolver<'_>) -> Result<Subscription, Error> {
    let pattern = |(index, text): (usize, &String)| {
        let why = "fits no event type; write one such as `token.suspended`, or `token.*`, or `*`";
        Pattern::parse(text).ok_or_else(|| at.invalid(format!("{key}.events[{index}]"), why))
    };
    if entry.events.is_empty() {
        return Err(at.invalid(format!("{key}.events"), "asks for nothing; `[\"*\"]` is everything"));
    }
    Ok(Subscription {
        types: entry.events.iter().enumerate().map(pattern).collect::<Result<_, _>>()?,
        requestors: entry.token_requestor_ids.iter().cloned().collect::<BTreeSet<_>>(),
    })
}

fn schedule(entry: &file::Destination, key: &str, at: &Resolver<'_>) -> Result<Schedule, Error> {
    let key = format!("{key}.retry_schedule");
    if entry.retry_schedule.len() > TRIES_MAX {
        return Err(at.invalid(key, format!("has more than {TRIES_MAX} waits")));
    }
    let waits = entry.retry_schedule.iter().enumerate();
    let waits: Result<Vec<Duration>, Error> = waits
        .map(|(index, text)| at.wait(text, &format!("{key}[{index}]")))
        .collect();
    Ok(Schedule::new(waits?))
}

fn webhook(entry: file::Destination, key: &str, at: &Resolver<'_>) -> Result<settings::Webhook, Error> {
    let [url] = <[_; 1]>::try_from(entry.url).map_err(|_| at.invalid(format!("{key}.url"), "must be one URL"))?;
    let is_https = outward::url(&url, &entry.allow_networks, &format!("{key}.url"), at)?;
    if entry.include_token_number && !is_https {
        return Err(at.invalid(format!("{key}.include_token_number"), "needs an `https://` URL"));
    }
    if entry.secrets.is_empty() && entry.secret_files.is_empty() {
        let why =
            "is empty: without a secret nobody can tell who sent it; `mdes-receiver destinations secret` makes one";
        return Err(at.invalid(format!("{key}.secrets"), why));
    }
    Ok(settings::Webhook {
        url,
        secrets: entry.secrets,
        secret_files: at.paths(&entry.secret_files, &format!("{key}.secret_files"))?,
        include_token_number: entry.include_token_number,
    })
}

/// Refuses a kind that is not in this program.
fn built_in(kind: &str, is_built_in: bool, key: &str, at: &Resolver<'_>) -> Result<(), Error> {
    let why = || format!("is not in this program: build it by `cargo build --release --features {kind}`");
    match is_built_in {
        true => Ok(()),
        false => Err(at.invalid(format!("{key}.kind"), why())),
    }
}

fn nats(entry: file::Destination, key: &str, at: &Resolver<'_>) -> Result<settings::Nats, Error> {
    built_in("nats", cfg!(feature = "nats"), key, at)?;
    broker(&entry, ["nats://", "tls://"], key, at)?;
    let subject = SubjectTemplate::parse(&entry.subject).map_err(|why| at.invalid(format!("{key}.subject"), why))?;
    stream(&entry, &subject, key, at)?;
    Ok(settings::Nats {
        urls: entry.url,
        subject,
        stream: entry.stream,
        create_stream: entry.create_stream,
        credentials: at.optional_path(entry.credentials, &format!("{key}.credentials"))?,
    })
}

fn kafka(entry: file::Destination, key: &str, at: &Resolver<'_>) -> Result<settings::Kafka, Error> {
    built_in("kafka", cfg!(feature = "kafka"), key, at)?;
    broker(&entry, ["kafka://", "kafkas://"], key, at)?;
    Ok(settings::Kafka {
        topic: TopicTemplate::parse(&entry.topic).map_err(|why| at.invalid(format!("{key}.topic"), why))?,
        urls: entry.url,
        sasl: match entry.sasl {
            file::Sasl::Plain => settings::Sasl::Plain,
            file::Sasl::ScramSha256 => settings::Sasl::ScramSha256,
            file::Sasl::ScramSha512 => settings::Sasl::ScramSha512,
        },
    })
}

fn rabbitmq(entry: file::Destination, key: &str, at: &Resolver<'_>) -> Result<settings::RabbitMq, Error> {
    built_in("rabbitmq", cfg!(feature = "rabbitmq"), key, at)?;
    broker(&entry, ["amqp://", "amqps://"], key, at)?;
    let routing_key =
        SubjectTemplate::parse(&entry.routing_key).map_err(|why| at.invalid(format!("{key}.routing_key"), why))?;
    let exchange = at.required(entry.exchange, &format!("{key}.exchange"))?;
    if !(1..=EXCHANGE_BYTES_MAX).contains(&exchange.len()) {
        let why = format!("must have from 1 to {EXCHANGE_BYTES_MAX} bytes");
        return Err(at.invalid(format!("{key}.exchange"), why));
    }
    Ok(settings::RabbitMq {
        urls: entry.url,
        exchange,
        routing_key,
    })
}

/// What holds for every broker: where it is, and what only webhooks have.
fn broker(entry: &file::Destination, schemes: [&str; 2], key: &str, at: &Resolver<'_>) -> Result<(), Error> {
    let fits = |url: &Secret| schemes.iter().any(|scheme| url.expose().starts_with(scheme));
    if entry.url.is_empty() || !entry.url.iter().all(fits) {
        let [plain, secure] = schemes;
        let why = format!("must begin with `{plain}` or `{secure}`; a list names the servers of one cluster");
        return Err(at.invalid(format!("{key}.url"), why));
    }
    if entry.proxy.is_some() {
        return Err(at.invalid(format!("{key}.proxy"), "is for webhooks only"));
    }
    if entry.include_token_number {
        let why = "is for webhooks only: no broker is given a token's number";
        return Err(at.invalid(format!("{key}.include_token_number"), why));
    }
    Ok(())
}

/// The stream can be named so, and made if it is to be.
fn stream(entry: &file::Destination, subject: &SubjectTemplate, key: &str, at: &Resolver<'_>) -> Result<(), Error> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>' | '/' | '\\');
    let is_name = |name: &String| (1..=NAME_CHARS_MAX).contains(&name.len()) && !name.contains(is_bad);
    if entry.stream.as_ref().is_some_and(|name| !is_name(name)) {
        let why =
            format!("must have from 1 to {NAME_CHARS_MAX} characters, none of them a space or one of `. * > / \\`");
        return Err(at.invalid(format!("{key}.stream"), why));
    }
    if entry.create_stream && entry.stream.is_none() {
        return Err(at.invalid(
            format!("{key}.stream"),
            "must name the stream that `create_stream` makes",
        ));
    }
    if entry.create_stream && !subject.begins_fixed() {
        let why = "must begin with a fixed word, such as `tokens.`, for `create_stream` to make a stream for it";
        return Err(at.invalid(format!("{key}.subject"), why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::error::{Origin, Origins};

    #[test]
    fn a_kind_that_is_not_built_in_says_how_to_build_it() {
        let origins = Origins {
            base: Origin::Nowhere,
            above: BTreeMap::new(),
        };
        let at = Resolver::new(Path::new("."), &origins);
        assert!(built_in("kafka", true, "destinations[0]", &at).is_ok());
        let refused = built_in("kafka", false, "destinations[0]", &at).expect_err("it is not there");
        let refused = refused.to_string();
        assert!(
            refused.contains("`destinations[0].kind`") && refused.contains("--features kafka"),
            "{refused}"
        );
    }
}
