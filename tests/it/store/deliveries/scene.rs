//! Words for scenes: events happen, a worker takes turns, attempts end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mdes_receiver::clock::{Clock as _, ManualClock};
use mdes_receiver::domain::delivery::Outcome;
use mdes_receiver::domain::event::{Advice, Event, EventData, EventType, Subscription, VERSION};
use mdes_receiver::domain::id::{EventId, Namespace};
use mdes_receiver::store::outbox::{
    Claimed, DeliveryFilter, KeptDelivery, KeptDestination, Outbox as _, Settlement, Start, Turn, Turned,
};
use mdes_receiver::store::{Error, Memory};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::super::scene::noon;
use crate::support::Database;

pub const LEASE: Duration = Duration::from_secs(45);
pub const OVERTAKES_AFTER: Duration = Duration::from_secs(60);

/// A database with a destination called `shop`, and a clock.
pub struct Scene {
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub memory: Arc<Memory>,
}

impl Scene {
    pub async fn new(database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(noon()));
        let memory = database.memory(Arc::clone(&clock)).await;
        let scene = Scene {
            database,
            clock,
            memory,
        };
        assert!(scene.enrol("shop", Start::Now).await);
        scene
    }

    pub async fn enrol(&self, destination: &str, start: Start) -> bool {
        self.memory.enrol(destination, start).await.expect("the store answers")
    }

    /// Another replica on the same database, under the same clock.
    pub async fn replica(&self) -> Arc<Memory> {
        self.database.memory(Arc::clone(&self.clock)).await
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(time::Duration::seconds(seconds));
    }

    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Events that happen one after the other: `"A suspended"`, `"B active"`, `"- test"` (of no token).
    pub async fn happen(&self, words: &[&str]) {
        let told: Vec<(EventType, Option<&str>, Option<&str>)> = words.iter().map(|words| spoken(words)).collect();
        self.tell(&told).await;
    }

    /// Events by type, token and requestor, written as the receiver writes them, behind the store's back.
    pub async fn tell(&self, told: &[(EventType, Option<&str>, Option<&str>)]) {
        let events: Vec<Event> = told
            .iter()
            .map(|(kind, token, requestor)| event(*kind, *token, *requestor, self.now()))
            .collect();
        let mut sql = String::from(
            "insert into events (position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, recorded_at, body) values ",
        );
        for (place, event) in events.iter().enumerate() {
            let text = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("'{text}'"));
            let token = Some(event.data.token_unique_reference.as_str()).filter(|token| !token.is_empty());
            sql += &format!(
                "{}((select position from events_head) + {}, '{}', '{}', {}, {}, {}, 1, {}, '{}', '{}')",
                if place == 0 { "" } else { ", " },
                place + 1,
                event.id,
                event.kind.as_str(),
                text(token.map(|_| "mdes")),
                text(token),
                text(event.data.token_requestor_id.as_deref()),
                event.data.advice.stops(),
                event.timestamp.format(&Rfc3339).expect("a time"),
                serde_json::to_string(event).expect("it is JSON"),
            );
        }
        let head = format!("update events_head set position = position + {}", events.len());
        self.execute(&format!("begin; {sql}; {head}; commit")).await;
    }

    /// Runs statements behind the store's back.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.database.url().starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.database.url())
                .await
                .expect("the file opens");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("it runs");
        } else {
            let mut connection = PgConnection::connect(self.database.url())
                .await
                .expect("the server answers");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("it runs");
        }
    }

    /// A turn of `shop`'s worker that claims at most so many.
    pub async fn turn(&self, claim: u32) -> Turned {
        turn(&self.memory, "shop", claim, &[]).await
    }

    /// The same, and says what went out, by token and type, marked where it overtook.
    pub async fn sent(&self, claim: u32) -> Vec<String> {
        said(&self.turn(claim).await)
    }

    /// A turn that settles these, and claims nothing.
    pub async fn settle(&self, settlements: &[Settlement]) -> Turned {
        turn(&self.memory, "shop", 0, settlements).await
    }

    /// Everything that may go out now is sent and taken, until nothing more may; says what went out.
    pub async fn drain(&self) -> Vec<String> {
        let mut sent = Vec::new();
        loop {
            let turned = self.turn(100).await;
            let settlements: Vec<Settlement> = turned.claimed.iter().map(taken).collect();
            sent.extend(said(&turned));
            self.settle(&settlements).await;
            if turned.claimed.is_empty() && !turned.more {
                return sent;
            }
        }
    }

    pub async fn deliveries(&self, which: &DeliveryFilter) -> Vec<KeptDelivery> {
        let page = self.memory.deliveries(which, None, 1_000).await;
        page.expect("the store answers")
    }

    pub async fn destination(&self, name: &str) -> KeptDestination {
        let all = self.memory.destinations().await.expect("the store answers");
        all.into_iter().find(|one| one.name == name).expect("it is enrolled")
    }
}

/// A turn that must succeed.
pub async fn turn(memory: &Memory, destination: &str, claim: u32, settle: &[Settlement]) -> Turned {
    let turned = try_turn(memory, destination, claim, settle).await;
    turned.expect("the store answers")
}

pub async fn try_turn(memory: &Memory, destination: &str, claim: u32, settle: &[Settlement]) -> Result<Turned, Error> {
    let subscription = Subscription::all();
    memory.turn(&asked(destination, &subscription, claim, settle)).await
}

pub fn asked<'a>(
    destination: &'a str,
    subscription: &'a Subscription,
    claim: u32,
    settle: &'a [Settlement],
) -> Turn<'a> {
    Turn {
        destination,
        subscription,
        settle,
        claim,
        lease: LEASE,
        stop_overtakes_after: OVERTAKES_AFTER,
        pause: None,
    }
}

/// What a turn claimed, in words.
pub fn said(turned: &Turned) -> Vec<String> {
    turned.claimed.iter().map(word).collect()
}

fn word(claimed: &Claimed) -> String {
    let token = match claimed.event.event.data.token_unique_reference.as_str() {
        "" => "-",
        token => token,
    };
    let kind = claimed.event.event.kind.as_str();
    let kind = kind.strip_prefix("token.").unwrap_or(kind);
    let mark = if claimed.out_of_order { " out of order" } else { "" };
    let replayed = if claimed.replayed { " replayed" } else { "" };
    format!("{token} {kind}{mark}{replayed}")
}

pub fn taken(claimed: &Claimed) -> Settlement {
    ended(claimed, Outcome::Delivered)
}

pub fn ended(claimed: &Claimed, outcome: Outcome) -> Settlement {
    let (status, answer) = match outcome {
        Outcome::Delivered => (200, "thanks"),
        Outcome::Again(_) | Outcome::Parked => (500, "no"),
    };
    Settlement {
        delivery: claimed.delivery,
        position: claimed.event.position,
        attempt: claimed.attempt,
        outcome,
        status: Some(status),
        answer: answer.to_owned(),
    }
}

fn spoken(words: &str) -> (EventType, Option<&str>, Option<&str>) {
    let (token, kind) = words.split_once(' ').expect("a token and what happened");
    let kind = match kind {
        "active" => EventType::TokenActivated,
        "suspended" => EventType::TokenSuspended,
        "reactivated" => EventType::TokenReactivated,
        "deactivated" => EventType::TokenDeactivated,
        "art" => EventType::CardArtChanged,
        "test" => EventType::Test,
        other => panic!("{other}?"),
    };
    (kind, Some(token).filter(|token| *token != "-"), None)
}

/// An event's id is counted up, so that it sorts as events happen.
fn event(kind: EventType, token: Option<&str>, requestor: Option<&str>, now: OffsetDateTime) -> Event {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let advice = match kind {
        EventType::TokenSuspended => Advice::StopCharging,
        EventType::TokenDeactivated => Advice::RequestNewToken,
        EventType::TokenActivated | EventType::TokenReactivated => Advice::ResumeCharging,
        _ => Advice::None,
    };
    Event {
        id: EventId(Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into())),
        kind,
        version: VERSION,
        timestamp: now,
        data: EventData {
            namespace: Namespace::Mdes,
            token_unique_reference: token.unwrap_or_default().to_owned(),
            token_requestor_id: requestor.map(ToOwned::to_owned),
            merchant_reference: None,
            sequence: 1,
            index: 1,
            of: 1,
            state_changed: true,
            status: None,
            previous_status: None,
            suspended_by: Vec::new(),
            reason_code: None,
            status_at: None,
            received_at: now,
            changes: Vec::new(),
            notification_id: None,
            flags: Vec::new(),
            advice,
            command: None,
            alarm: None,
        },
    }
}
