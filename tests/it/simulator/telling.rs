//! What the stories say.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use mdes_receiver::simulator::story::{Say, Story};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use super::SEED;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const EVERYTHING: [Say; 12] = [
    Say::Active,
    Say::Suspended(&["ISSUER"]),
    Say::Resumed,
    Say::CardArt,
    Say::CardChanged,
    Say::ReDigitized,
    Say::UnknownCodes,
    Say::UnknownStatus,
    Say::TwoTokens,
    Say::Hostile,
    Say::LateSuspension,
    Say::Deleted,
];

fn told(seed: u64) -> Vec<(String, Value)> {
    let mut story = Story::new(seed, NOW);
    let told = EVERYTHING.map(|say| story.tell(say));
    told.into_iter().map(|said| (said.request_id, said.content)).collect()
}

fn moment(token: &Value) -> Option<OffsetDateTime> {
    let text = token["statusTimestamp"].as_str()?;
    Some(OffsetDateTime::parse(text, &Rfc3339).expect("a moment as the specification writes it"))
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    assert_eq!(told(SEED), told(SEED));
    assert_ne!(told(SEED), told(SEED + 1));
}

#[test]
fn one_life_is_about_one_token_and_its_time_goes_forward() {
    let mut story = Story::new(SEED, NOW);
    let life = [
        (Say::Active, "ACTIVE", true),
        (Say::Suspended(&["ISSUER"]), "SUSPENDED", true),
        (Say::Resumed, "ACTIVE", true),
        (Say::CardArt, "ACTIVE", false),
        (Say::CardChanged, "ACTIVE", false),
        (Say::ReDigitized, "ACTIVE", true),
        (Say::Deleted, "DEACTIVATED", true),
    ];
    let mut references = BTreeSet::new();
    let mut before = None;
    for (say, status, moves) in life {
        let token = story.tell(say).content["tokens"][0].clone();
        references.insert(token["tokenUniqueReference"].to_string());
        assert_eq!(token["status"], status);
        assert_eq!(moment(&token) > before, moves, "{say:?}");
        before = moment(&token);
    }
    assert_eq!(references.len(), 1);
}

#[test]
fn no_timestamp_is_ever_from_the_future_however_long_the_story() {
    let mut story = Story::new(SEED, NOW);
    let latest = (0..500)
        .filter_map(|_| moment(&story.tell(Say::Resumed).content["tokens"][0]))
        .max();
    assert!(
        latest.is_some_and(|latest| latest <= NOW + time::Duration::seconds(1)),
        "{latest:?}"
    );
}

#[test]
fn a_late_suspension_is_older_than_the_status_before_it() {
    let mut story = Story::new(SEED, NOW);
    let active = moment(&story.tell(Say::Active).content["tokens"][0]);
    let late = story.tell(Say::LateSuspension).content["tokens"][0].clone();
    assert_eq!(late["status"], "SUSPENDED");
    assert!(moment(&late) < active);
}

#[test]
fn the_fields_keep_to_the_lengths_of_the_specification() {
    let lengths = [
        ("tokenUniqueReference", 64),
        ("tokenRequestorId", 11),
        ("status", 32),
        ("statusTimestamp", 29),
    ];
    for (request_id, content) in told(SEED) {
        assert!(request_id.len() <= 64);
        for token in content["tokens"].as_array().expect("every message has tokens") {
            for (field, most) in lengths {
                assert!(
                    token[field].as_str().is_none_or(|text| text.len() <= most),
                    "{field}: {token}"
                );
            }
        }
    }
}

#[test]
fn it_never_uses_what_it_is_there_to_test() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/simulator")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).expect("a source is text");
            let forbidden = ["mdes", "keys", "tokenex", "lifecycle"]
                .iter()
                .any(|module| source.contains(&format!("crate::{module}")));
            assert!(!forbidden, "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 10);
}
