//! The contract over what really stands behind it: a store, a desk at its work, and a TokenEx that somebody else played.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use http_body_util::BodyExt;
use mdes_receiver::clock::SystemClock;
use mdes_receiver::config::settings::{self, Contract};
use mdes_receiver::domain::command::{Action, Rules, Service, Stage};
use mdes_receiver::domain::id::NotificationId;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::http::tokenex::{self, Served};
use mdes_receiver::lifecycle::desk::{Office, Worker};
use mdes_receiver::lifecycle::{Learned, Listener, Taken, TokenService};
use mdes_receiver::simulator::services::tokens::{Brand, NewToken, State};
use mdes_receiver::simulator::services::{self, Services};
use mdes_receiver::store::desk::{CommandFilter, Desk as _, KeptCommand};
use mdes_receiver::store::ledger::{Entry, EntryFilter};
use mdes_receiver::store::{self, Ledger as _, Memory, Outbox as _};
use mdes_receiver::telemetry::Metrics;
use mdes_receiver::tokenex::client::TokenEx;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::contract::{CHANGE, ID, KEY, STATUS, client, post};
use super::{REFERENCE_ID, TOKEN};
use crate::support::Database;

promises!(
    the_certification_cases_pass_over_store_desk_and_service,
    a_reply_that_was_lost_is_a_yes_once_get_status_shows_it,
    a_request_that_was_lost_is_sent_again_after_get_status_and_is_a_yes,
    what_a_fresh_look_rules_out_is_9104_and_is_never_sent,
    an_unknown_token_is_3000_and_is_never_sent,
    who_was_told_9004_may_see_it_done_later,
    what_a_client_asks_for_is_in_the_audit,
    what_cannot_be_written_down_is_not_ordered,
);

/// Everything from the contract to the service.
struct House {
    database: Database,
    memory: Arc<Memory>,
    services: Services,
    pages: Router,
    worker: JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// What is learned is no matter of these promises.
struct Deaf;

#[async_trait]
impl Listener for Deaf {
    async fn learn(&self, _: Learned) -> Result<Taken, String> {
        Ok(Taken {
            notification: NotificationId(uuid::Uuid::nil()),
            verdict: None,
            sequence: None,
            adds_only: true,
        })
    }
}

impl House {
    async fn new(database: Database, wait: Duration) -> Self {
        let services = Services::start(services::Settings::default())
            .await
            .expect("loopback listens");
        let memory = store::open(&database.settings, Arc::new(SystemClock))
            .await
            .expect("good settings");
        let service: Arc<dyn TokenService> = Arc::new(asked_at(&services));
        let office = Office {
            desk: memory.clone(),
            store: memory.clone(),
            services: vec![service.clone()],
            listener: Arc::new(Deaf),
            rules: Rules {
                confirm_within: Duration::from_secs(60),
                sends_max: 3,
            },
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
        };
        let worker = Worker::new(Arc::new(office), Service::TokenEx, memory.bell()).run(CancellationToken::new());
        let hands = memory.clone();
        let served = Served {
            desk: memory.clone(),
            in_hand: Arc::new(move |hand| hands.in_the_hand_of(hand)),
            looks: Arc::new(vec![service]),
            through: Service::TokenEx,
            clients: vec![client(KEY, &[Action::Suspend, Action::Resume, Action::Delete])],
            contract: Contract {
                wait,
                ..Contract::default()
            },
            limits: crate::door::limits(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            stopping: CancellationToken::new(),
        };
        House {
            database,
            memory,
            services,
            pages: Router::new().nest("/v2", tokenex::router(served)),
            worker: tokio::spawn(worker),
        }
    }

    fn token(&self, state: State) {
        let token = NewToken {
            token: Some(TOKEN.to_owned()),
            token_reference_id: Some(REFERENCE_ID.to_owned()),
            brand: Brand::Mastercard,
            state,
            ..NewToken::default()
        };
        self.services.make(&token).expect("it is made");
    }

    fn fault(&self, fault: &str) {
        let fault = fault.parse().expect("a fault");
        self.services.add_fault(fault).expect("there is room");
    }

    async fn ask(&self, path: &str, body: Value) -> Value {
        let response = self.pages.clone().oneshot(post(path, ID, KEY, body.to_string()));
        let body = response.await.expect("a router answers").into_body();
        let bytes = body.collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&bytes).expect("JSON")
    }

    async fn act(&self, action: &str) -> Value {
        self.ask(CHANGE, json!({"Token": TOKEN, "LifecycleManagementAction": action}))
            .await
    }

    async fn state(&self) -> Value {
        let mut body = self.ask(STATUS, json!({"token": TOKEN})).await;
        body["networkResponse"]["tokenState"].take()
    }

    async fn commands(&self) -> Vec<KeptCommand> {
        let commands = self.memory.commands(&CommandFilter::default(), None, 10).await;
        commands.expect("the store answers")
    }
}

fn asked_at(services: &Services) -> TokenEx {
    let played = services::Settings::default();
    let settings = settings::TokenEx {
        url: Secret::new(services.tokenex_url()),
        tokenex_id: played.tokenex_id,
        api_key: Secret::new(played.api_key),
        egress: settings::Egress {
            allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
            connect: Duration::from_secs(5),
            total: Duration::from_secs(5),
            ..Default::default()
        },
    };
    TokenEx::load(&settings, Arc::new(SystemClock)).expect("good settings")
}

const PATIENCE: Duration = Duration::from_secs(30);

async fn the_certification_cases_pass_over_store_desk_and_service(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Active);
    for (action, state) in [
        ("SUSPEND_TOKEN", "SUSPENDED"),
        ("RESUME_TOKEN", "ACTIVE"),
        ("DELETE_TOKEN", "DELETED"),
    ] {
        let body = house.act(action).await;
        assert_eq!(body["success"], true, "{body}");
        assert_eq!(body["networkResponse"]["statusCode"], "0000");
        assert_eq!(body["networkResponse"]["tokenReferenceId"], REFERENCE_ID);
        assert_eq!(house.state().await, state);
        let calls = house.services.shown()["tokens"][0]["calls"][action].clone();
        assert_eq!(calls, json!({"came": 1, "applied": 1}), "{}", house.services.shown());
    }
    let asked_by: Vec<_> = house.commands().await.into_iter().map(|kept| kept.asked_by).collect();
    assert_eq!(asked_by, vec![format!("tokenex:{ID}"); 3]);
}

async fn a_reply_that_was_lost_is_a_yes_once_get_status_shows_it(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Active);
    house.fault("drop-answer@SUSPEND_TOKEN:1");
    let body = house.act("SUSPEND_TOKEN").await;
    assert_eq!(body["networkResponse"]["statusCode"], "0000", "{body}");
    assert_eq!(house.commands().await[0].command.sends, 1, "it is not sent again");
}

async fn a_request_that_was_lost_is_sent_again_after_get_status_and_is_a_yes(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Active);
    house.fault("drop@SUSPEND_TOKEN:1");
    let body = house.act("SUSPEND_TOKEN").await;
    assert_eq!(body["networkResponse"]["statusCode"], "0000", "{body}");
    assert_eq!(house.commands().await[0].command.sends, 2);
    assert_eq!(house.state().await, "SUSPENDED");
}

async fn what_a_fresh_look_rules_out_is_9104_and_is_never_sent(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Deactivated);
    let body = house.act("RESUME_TOKEN").await;
    assert_eq!(
        (&body["success"], &body["networkResponse"]["statusCode"]),
        (&json!(false), &json!("9104")),
        "{body}"
    );
    let command = &house.commands().await[0].command;
    assert_eq!((command.stage, command.sends), (Stage::Refused, 0));
}

async fn an_unknown_token_is_3000_and_is_never_sent(database: Database) {
    let house = House::new(database, PATIENCE).await;
    let body = house.act("SUSPEND_TOKEN").await;
    assert_eq!(body["error"], "3000 : Token does not exist", "{body}");
    assert_eq!(body["networkResponse"], Value::Null);
    assert_eq!(house.commands().await[0].command.sends, 0);
}

async fn who_was_told_9004_may_see_it_done_later(database: Database) {
    let house = House::new(database, Duration::from_millis(400)).await;
    house.token(State::Active);
    house.fault("drop-answer@SUSPEND_TOKEN:1");
    let began = Instant::now();
    let body = house.act("SUSPEND_TOKEN").await;
    assert_eq!(body["networkResponse"]["statusCode"], "9004", "{body}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let done = async {
        while house.commands().await[0].command.stage != Stage::Confirmed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("the command went on");
    assert_eq!(house.state().await, "SUSPENDED");
}

async fn entries(house: &House) -> Vec<Entry> {
    let entries = house.memory.entries(&EntryFilter::default(), None, 10).await;
    entries.expect("the store answers")
}

async fn what_a_client_asks_for_is_in_the_audit(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Active);
    let reason = "lost; its number is 5204 7300 0000 1201";
    let body = json!({"Token": TOKEN, "LifecycleManagementAction": "SUSPEND_TOKEN", "RequestReason": reason});
    house.ask(CHANGE, body).await;
    house.state().await;

    let entries = entries(&house).await;
    assert_eq!(entries.len(), 1, "who only asks does nothing: {entries:?}");
    let (entry, command) = (&entries[0], &house.commands().await[0].command);
    assert_eq!(
        [&entry.who, &entry.what, &entry.about, &entry.outcome],
        [
            "tokenex:····3456",
            "command.suspend",
            "tokenex:····7718",
            &format!("command {}", command.id)
        ]
    );
    assert_eq!(
        (entry.role.as_deref(), entry.why.as_deref()),
        (None, Some("lost; its number is ····1201"))
    );
}

async fn what_cannot_be_written_down_is_not_ordered(database: Database) {
    let house = House::new(database, PATIENCE).await;
    house.token(State::Active);
    house.database.execute("alter table audit rename to elsewhere").await;
    let body = house.act("SUSPEND_TOKEN").await;
    assert_eq!(body["success"], false, "{body}");
    assert!(house.commands().await.is_empty());
    assert_eq!(house.state().await, "ACTIVE");
}
