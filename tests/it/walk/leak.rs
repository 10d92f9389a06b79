//! Nothing sensitive leaves the one place where it belongs: not into a log line, a metric, or a row.

use std::io;
use std::sync::{Arc, Mutex};

use mdes_receiver::simulator::scenario;
use mdes_receiver::simulator::story::Say;
use serde_json::Value;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::Database;
use crate::world::{World, page, read};

promises!(no_number_no_payload_and_no_key_is_seen_in_logs_metrics_or_rows);

/// How the simulator's token references begin.
const TOKENS: &str = "DM4MMC0000000001";

/// Everything that anything in this process logs, at whatever level.
#[derive(Clone, Default)]
pub struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no one panics while holding it").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Logged;

    fn make_writer(&self) -> Logged {
        self.clone()
    }
}

impl Logged {
    /// Listens from now on, to all threads.
    pub fn listen() -> Self {
        let logged = Logged::default();
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
        let set = tracing::subscriber::set_global_default(lines.with_writer(logged.clone()).finish());
        set.expect("each test has a process of its own: run by cargo nextest");
        logged
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no one panics while holding it")).into_owned()
    }
}

/// A text as it may be hidden: as it is, in hex, in base64 at any offset.
pub fn disguises(secret: &[u8]) -> Vec<String> {
    let mut disguises = vec![String::from_utf8_lossy(secret).into_owned(), hex::encode(secret)];
    disguises.extend((0..3).map(|offset| base64_core(secret, offset)));
    disguises
}

/// The digits of base64 that depend on the secret alone, if `offset` other bytes stand before it.
fn base64_core(secret: &[u8], offset: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skipped = (3 - offset) % 3;
    let whole = secret.get(skipped..).unwrap_or_default().chunks_exact(3);
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    whole
        .map(|three| u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]))
        .flat_map(|bits| [bits >> 18, bits >> 12, bits >> 6, bits].map(digit))
        .collect()
}

/// A run of 16 digits or more that begins as the simulator's card numbers do: shorter ones stand in ciphertext by chance.
pub fn card_number_in(text: &str) -> Option<&str> {
    text.match_indices("520473")
        .map(|(at, _)| &text[at..])
        .find_map(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (digits >= 16).then(|| &rest[..digits])
        })
}

/// The lines of a private key's PEM.
pub fn key_lines(pem: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pem);
    let lines: Vec<String> = text
        .lines()
        .filter(|line| line.len() >= 40)
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty());
    lines
}

async fn no_number_no_payload_and_no_key_is_seen_in_logs_metrics_or_rows(database: Database) {
    let logged = Logged::listen();
    let world = World::over(database).await;
    let (mastercard, mut story) = (world.mastercard(), world.story(7));
    let mut numbers = Vec::new();
    for scenario in scenario::all() {
        for played in mastercard.play(scenario, &mut story).await {
            assert!(played.passed, "{played:?}");
        }
        // Once more by hand, so that the number is known.
        let told = story.tell(Say::ReDigitized);
        let number = told.content["tokens"][0]["tokenInfo"]["tokenNumber"]
            .as_str()
            .expect("a number")
            .to_owned();
        assert_eq!(
            world
                .told(&told.request_id, &with_the_number_about(told.content, &number))
                .await
                .status,
            200
        );
        numbers.push(number);
    }
    let metrics = page(world.service.admin_address, "/metrics").await.text();
    let files = &world.desk.files;
    let places = [
        ("logs", logged.text()),
        ("metrics", metrics),
        ("rows", world.desk.database.at_rest().await),
    ];
    // What may be seen is seen: it was looked for in the right places.
    for (expected, (place, text)) in [TOKENS, "recorded", TOKENS].into_iter().zip(&places) {
        assert!(text.contains(expected), "{place}");
    }
    for (place, text) in &places {
        for number in &numbers {
            for disguise in disguises(number.as_bytes()) {
                assert!(!text.contains(&disguise), "{place}: {disguise}");
            }
        }
        assert_eq!(card_number_in(text), None, "{place}");
        for key in [&files.decryption, &files.server] {
            for line in key_lines(&read(&key.private_key)) {
                assert!(!text.contains(&line), "{place}: a line of a private key");
            }
        }
        assert!(!text.contains("\"tokenUniqueReference\""), "{place}: a payload");
    }
    let (_, logs) = &places[0];
    for said in [
        "Example Bank",
        "Example Air",
        "SOMETHING_NEW",
        "A_CODE_NOT_KNOWN_YET",
        "ACCOUNT_CLOSED",
        "C00F00",
    ] {
        assert!(!logs.contains(said), "{said} is in the logs");
    }
}

/// The number in places where none belongs.
fn with_the_number_about(mut content: Value, number: &str) -> Value {
    let token = &mut content["tokens"][0];
    token["eventReasonCode"] = format!("SEE {number}").into();
    token["suspendedBy"] = Value::from(vec![number]);
    token["tokenInfo"]["tokenPanSuffix"] = number.into();
    token["productConfig"] = serde_json::json!({"issuerName": number, "issuerMobileApp": {number: [number]}});
    token[number] = number.parse::<u64>().expect("digits").into();
    token["note"] = format!("moved from {number}, or {number}").into();
    content
}
