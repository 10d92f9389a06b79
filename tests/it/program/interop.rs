//! Bodies that Mastercard's own package sealed, posted by Python's own TLS: a second opinion on everything between
//! their lines and our rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;

use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::http::callback::PATH;
use serde_json::{Value, json};

use super::crash::{it_adds_up, request_ids};
use super::process::{Process, Program, text};
use super::traffic::expected;
use crate::support::Database;
use crate::world::Desk;

promises!(what_mastercards_own_package_seals_is_understood_and_committed);

const HASHES: [&str; 2] = ["SHA256", "SHA512"];
const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const OTHER_TOKEN: &str = "DM4MMC00000000029999999999999999999999999999999a1";
/// It came in the samples, as `tokenNumber`.
const NUMBER: &str = "5204730000001209";
const AT_REST: &str = "
    select (select string_agg(cast(token_info as text) || cast(product_config as text), ' ') from tokens)
        || (select string_agg(cast(changes as text), ' ') from token_transitions)
        || (select string_agg(cast(unrecognized as text), ' ') from token_statements)";

async fn what_mastercards_own_package_seals_is_understood_and_committed(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    let samples: Vec<Value> = HASHES.iter().flat_map(|hash| samples(hash)).collect();
    let answers = sealed_and_posted(&desk, &program, &samples).await;
    assert_eq!(answers.len(), samples.len());
    for (sample, answer) in samples.iter().zip(&answers) {
        let request_id = sample["request_id"].as_str().expect("we gave it one");
        assert_eq!(
            (&answer["status"], &answer["body"]),
            (&json!(200), &expected(request_id))
        );
        assert_eq!(
            answer["sent"]["encryptedPayload"]["oaepHashingAlgorithm"],
            sample["oaep"]
        );
        assert!(answer["sent"].get("tokens").is_none(), "it was sealed: {answer}");
    }
    assert_eq!(request_ids(&desk.database).await.len(), samples.len());
    for hash in HASHES {
        the_states_are_those_of_the_samples(&desk, hash).await;
    }
    it_adds_up(&desk.database).await;
    let at_rest = desk.database.text(AT_REST).await.expect("there is something");
    assert!(
        at_rest.contains("Example Bank Gold") && !at_rest.contains(NUMBER),
        "{at_rest}"
    );
}

async fn the_states_are_those_of_the_samples(desk: &Desk, hash: &str) {
    let store = desk.database.open().await;
    let reference = TokenReference::mdes(of_hash(TOKEN, hash));
    let transitions = store.transitions(&reference, 0, 100).await.expect("the store answers");
    let told: Vec<String> = transitions
        .iter()
        .map(|one| {
            let status = |status: &Option<_>| status.as_ref().map_or("-".to_owned(), ToString::to_string);
            format!(
                "{} {} {} → {}",
                one.sequence,
                one.kind,
                status(&one.from_status),
                status(&one.to_status)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 status - → ACTIVE",
            "2 status ACTIVE → SUSPENDED",
            "3 suspenders SUSPENDED → SUSPENDED",
            "4 status SUSPENDED → ACTIVE",
            "5 metadata ACTIVE → ACTIVE",
            "6 metadata ACTIVE → ACTIVE",
            "7 metadata ACTIVE → ACTIVE",
            "8 status ACTIVE → SUSPENDED",
            "9 status SUSPENDED → DEACTIVATED",
        ],
        "{hash}"
    );
    let token = store
        .token(&reference)
        .await
        .expect("the store answers")
        .expect("it is held")
        .token;
    assert!(token.is_provisional(), "it was deactivated out of order");
    let told: BTreeMap<&str, Option<&Value>> = [
        "tokenInfo.tokenPanSuffix",
        "tokenInfo.accountPanPrefix",
        "tokenInfo.tokenExpiry",
        "productConfig.coBrandName",
    ]
    .map(|field| (field, token.field(field)))
    .into();
    assert_eq!(
        json!(told),
        json!({
            "tokenInfo.tokenPanSuffix": "0001",
            "tokenInfo.accountPanPrefix": "520473",
            "tokenInfo.tokenExpiry": "0921",
            "productConfig.coBrandName": "Example Air",
        })
    );
    let other = TokenReference::mdes(of_hash(OTHER_TOKEN, hash));
    let other = store
        .token(&other)
        .await
        .expect("the store answers")
        .expect("it is held")
        .token;
    let status = other.status().map(ToString::to_string);
    assert_eq!(
        (status.as_deref(), other.is_provisional()),
        (Some("PENDING_ACTIVATION"), true)
    );
    store.close().await;
}

/// The samples, to be sealed by this hash; each hash tells its own tokens' lives.
fn samples(hash: &str) -> Vec<Value> {
    let text = of_hash(include_str!("../../interop/samples.json"), hash);
    let contents: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let sample = |(place, content)| json!({"request_id": format!("{hash}-{place}"), "oaep": hash, "content": content});
    contents.into_iter().enumerate().map(sample).collect()
}

fn of_hash(text: &str, hash: &str) -> String {
    [TOKEN, OTHER_TOKEN].iter().fold(text.to_owned(), |text, token| {
        let own = format!("{}{}", &token[..token.len() - hash.len()], hash);
        text.replace(token, &own)
    })
}

/// Lets Python seal and post them, and gives what it says of each.
async fn sealed_and_posted(desk: &Desk, program: &Program, samples: &[Value]) -> Vec<Value> {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with Mastercard's package, \
         and `tests/run NAME` runs one test with it",
    );
    let files = &desk.files;
    let task = json!({
        "url": format!("https://localhost:{}{PATH}", program.callback.port()),
        "client_certificate": files.client.certificate,
        "client_key": files.client.private_key,
        "server_roots": files.ca.certificate,
        "encryption_certificate": files.decryption.certificate,
        "samples": samples,
    });
    let file = desk.path("task.json");
    std::fs::write(&file, task.to_string()).expect("written");
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/seal_and_post.py"))
        .stdin(File::open(text(&file)).expect("it was written"));
    let mut process = Process::of(command);
    let ended = process.ended().await;
    assert!(ended.success(), "{ended}: {}", process.log().join("\n"));
    let lines = process.output();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
