//! Whoever may look, wherever they look: every page, every answer, every event, every log line and every row of a house
//! in which everything has happened once holds nothing that opens a door or pays for anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mdes_receiver::simulator::dev_files;
use mdes_receiver::simulator::scenario;
use mdes_receiver::simulator::services::tokens::NewToken;
use mdes_receiver::simulator::services::{Services, Settings};
use mdes_receiver::simulator::story::Say;
use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::leak::{Logged, card_number_in, disguises, key_lines, with_the_number_about};
use crate::api::caller::{Caller, bearer};
use crate::console::browser::Browser;
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, SECRET, World, eventually, page, read};

promises!(nothing_that_pays_or_opens_is_seen_wherever_one_may_look);

/// A card number that strangers write into whatever they may write into.
const TYPED: &str = "5204736140000011";
const REFERENCE: &str = "DM4MMC00000000017f3b2c9d8e1a4f60b5c7d2e9f8a1b3c4";
const TOKENEX: &str = "520473WXYZ0012";
/// They do not end, or end what looks.
const LEFT_OUT: [&str; 4] = [
    "/v1/events/stream",
    "/console/live",
    "/console/logout",
    "/console/login",
];
const PAGES_MAX: usize = 400;

/// Everything that could be seen, by where.
type Seen = BTreeMap<String, String>;

async fn nothing_that_pays_or_opens_is_seen_wherever_one_may_look(database: Database) {
    let logged = Logged::listen();
    let merchant = Merchant::who(|_| Reaction::Says(500, "no such card 5204736140000011")).await;
    let street = Street::over(database, &merchant).await;
    let mut numbers = vec![TYPED.to_owned()];
    numbers.extend(street.everything_happens().await);
    eventually("the merchant was told", || async { !merchant.told().is_empty() }).await;

    let world = &street.world;
    let revealer = bearer(world, "rea", Role::Revealer, time::Duration::HOUR).await;
    let caller = Caller::showing(world, &format!("Bearer {}", revealer.expose()));
    let browser = Browser::of(world, "ana", Role::Operator).await;
    let mut seen = answers(&caller).await;
    seen.extend(pages(&browser).await);
    seen.extend(refusals(&caller).await);
    for path in ["/metrics", "/healthz", "/readyz", "/docs", "/openapi.json"] {
        seen.insert(path.to_owned(), page(world.service.admin_address, path).await.text());
    }
    let events = merchant.told();
    let told = events.iter().map(|one| format!("{:?} {:?}", one.headers, one.body));
    seen.insert("webhooks".to_owned(), told.collect());
    seen.insert("logs".to_owned(), logged.text());
    seen.insert("rows".to_owned(), world.desk.database.at_rest().await);

    let cookie = browser.cookie.as_deref().expect("a session");
    let mut secrets = street.secrets();
    secrets.push(revealer.expose().to_owned());
    secrets.push(cookie.split_once('=').expect("a pair").1.to_owned());
    for (place, text) in &seen {
        assert_eq!(card_number_in(text), None, "{place}");
        let hidden = numbers.iter().flat_map(|number| disguises(number.as_bytes()));
        for secret in hidden.chain(secrets.iter().cloned()) {
            assert!(!text.contains(&secret), "{place}: {}", &secret[..secret.len().min(12)]);
        }
    }
    // It was looked for where something is.
    let shown = seen.iter().filter(|(_, text)| text.contains(REFERENCE)).count();
    assert!(shown >= 8, "{shown} of {:?}", seen.keys());
}

struct Street {
    world: World,
    services: Services,
    signing_key: Vec<u8>,
}

impl Street {
    async fn over(database: Database, merchant: &Merchant) -> Self {
        let desk = Desk::over(database);
        let (signing, _) = dev_files::signing(&desk.path("."), OffsetDateTime::now_utc()).expect("a key is made");
        let services = Services::start(Settings {
            signing_certificate: Some(read(&signing.certificate)),
            ..Settings::default()
        });
        let services = services.await.expect("a free port on loopback");
        let lifecycle = format!(
            "[lifecycle]\nthrough = \"tokenex\"\nallow_networks = [\"127.0.0.0/8\"]\ncalls_per_second = 1000\n\
             [lifecycle.tokenex]\nurl = \"{}\"\ntokenex_id = \"{}\"\napi_key = \"{}\"\n\
             [lifecycle.mdes]\nurl = \"{}\"\nconsumer_key = \"{}\"\nsigning_key = \"signing.key\"\n",
            services.tokenex_url(),
            Settings::default().tokenex_id,
            Settings::default().api_key,
            services.mdes_url(),
            Settings::default().consumer_key,
        );
        let destination = merchant.destination("orders", "retry_schedule = []");
        let world = desk.with(&lifecycle).and(&destination).open().await;
        world.ready().await;
        let signing_key = read(&signing.private_key);
        Street {
            world,
            services,
            signing_key,
        }
    }

    /// Every scenario, and what people do about a token; gives the numbers that came along.
    async fn everything_happens(&self) -> Vec<String> {
        let (mastercard, mut story) = (self.world.mastercard(), self.world.story(7));
        let mut numbers = Vec::new();
        for scenario in scenario::all() {
            for played in mastercard.play(scenario, &mut story).await {
                assert!(played.passed, "{played:?}");
            }
        }
        for _ in 0..3 {
            let told = story.tell(Say::ReDigitized);
            let number = told.content["tokens"][0]["tokenInfo"]["tokenNumber"].as_str();
            let number = number.expect("a number").to_owned();
            let content = with_the_number_about(told.content, &number);
            assert_eq!(self.world.told(&told.request_id, &content).await.status, 200);
            numbers.push(number);
        }
        self.a_person_acts().await;
        numbers
    }

    async fn a_person_acts(&self) {
        let operator = Caller::operator(&self.world).await;
        let new = NewToken {
            token: Some(TOKENEX.to_owned()),
            token_unique_reference: Some(REFERENCE.to_owned()),
            ..NewToken::default()
        };
        self.services.make(&new).expect("a new token");
        let registered = json!({"reference": REFERENCE, "merchant_reference": "customer-1", "status": "ACTIVE"});
        assert_eq!(operator.post("/v1/tokens", &registered).await.status, 200);
        let suspend = json!({"action": "suspend", "through": "mdes", "reason": format!("lost card {TYPED}")});
        let path = format!("/v1/tokens/{REFERENCE}/commands");
        let key = [("content-type", "application/json"), ("idempotency-key", "once")];
        let asked = operator.ask("POST", &path, &key, suspend.to_string().as_bytes()).await;
        assert!(asked.status < 300, "{asked:?}");
        eventually("it is carried out", || async {
            self.world.status(REFERENCE).await == "SUSPENDED"
        })
        .await;
        let begun = operator.post("/v1/reconciles", &json!({"dry_run": true})).await;
        assert!(begun.status < 300, "{begun:?}");
        let entries = operator.get("/v1/quarantine").await.json();
        let id = entries["items"][0]["id"].as_str().expect("one is open").to_owned();
        let reason = json!({"reason": format!("it was card {TYPED}")});
        let resolved = operator.post(&format!("/v1/quarantine/{id}/resolve"), &reason).await;
        assert!(resolved.status < 300, "{resolved:?}");
    }

    /// What opens a door.
    fn secrets(&self) -> Vec<String> {
        let files = &self.world.desk.files;
        let mut secrets = vec![Settings::default().api_key, SECRET.to_owned()];
        secrets.push(SECRET.trim_start_matches("whsec_").to_owned());
        secrets.extend(key_lines(&self.signing_key));
        for key in [&files.decryption, &files.server] {
            secrets.extend(key_lines(&read(&key.private_key)));
        }
        secrets
    }
}

/// Every answer to every question that the API document knows, for some of everything that it lists.
async fn answers(caller: &Caller) -> Seen {
    let document = caller.get("/openapi.json").await.json();
    let mut seen = Seen::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        if operations.get("get").is_none() || LEFT_OUT.contains(&path.as_str()) {
            continue;
        }
        for path in filled(caller, path).await {
            let reply = caller.get(&path).await;
            assert!(reply.status < 500, "{path}: {reply:?}");
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            seen.insert(path, format!("{:?} {text}", reply.headers));
        }
    }
    seen
}

/// The path with a few of what its list names in the place of its parameter.
async fn filled(caller: &Caller, path: &str) -> Vec<String> {
    let Some((list, rest)) = path.split_once("/{") else {
        return vec![path.to_owned()];
    };
    let (_, rest) = rest.split_once('}').expect("a parameter ends");
    let list = match list {
        "/v1/charge" => "/v1/tokens",
        list => list,
    };
    let reply = caller.get(list).await;
    let items = serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
    let names = ["id", "name", "reference", "token_unique_reference"];
    let named = |item: &Value| names.iter().find_map(|name| item[name].as_str().map(str::to_owned));
    let items = items["items"].as_array().cloned().unwrap_or_default();
    let mut named: Vec<String> = items.iter().filter_map(named).take(5).collect();
    if list == "/v1/tokens" {
        named.push(REFERENCE.to_owned());
    }
    let list = path.split_once("/{").expect("as above").0;
    named.iter().map(|name| format!("{list}/{name}{rest}")).collect()
}

/// Every page of the console that a link leads to.
async fn pages(browser: &Browser) -> Seen {
    let (mut seen, mut found) = (Seen::new(), BTreeSet::from(["/console".to_owned()]));
    let mut waiting = VecDeque::from(["/console".to_owned()]);
    while let Some(path) = waiting.pop_front() {
        if seen.len() >= PAGES_MAX {
            break;
        }
        let reply = browser.get(&path).await;
        assert!(reply.status < 500, "{path}: {reply:?}");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.split('#').next().unwrap_or_default().replace("&amp;", "&");
            let is_left_out = LEFT_OUT.iter().any(|out| link.starts_with(out));
            if link.starts_with("/console") && !is_left_out && found.insert(link.clone()) {
                waiting.push_back(link);
            }
        }
        seen.insert(path, format!("{:?} {text}", reply.headers));
    }
    assert!(seen.len() > 15, "{:?}", seen.keys());
    seen
}

/// What those are told who type a card number where none belongs.
async fn refusals(caller: &Caller) -> Seen {
    let mut seen = Seen::new();
    for path in [
        format!("/v1/tokens/{TYPED}"),
        format!("/v1/charge/{TYPED}"),
        format!("/v1/tokens?status={TYPED}&limit={TYPED}"),
        format!("/v1/{TYPED}"),
        format!("/v1/notifications/{TYPED}"),
        format!("/v1/events?after={TYPED}"),
        format!("/v1/deliveries?state={TYPED}"),
    ] {
        let reply = caller.get(&path).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        seen.insert(path.replace(TYPED, "(typed)"), text);
    }
    for body in [
        json!({"reference": "DM4MMC0001", "status": TYPED}),
        json!({ TYPED: TYPED }),
        json!(TYPED),
    ] {
        let reply = caller.post("/v1/tokens", &body).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        seen.insert(format!("POST {}", seen.len()), text);
    }
    seen
}
