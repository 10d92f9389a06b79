//! The table of `docs/events/README.md`, played row by row; and what holds of any run of statements.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use time::macros::{datetime, format_description};
use time::{Duration, OffsetDateTime, Time};
use uuid::Uuid;

use super::*;
use crate::domain::id::{ContentHash, NotificationId, TokenReference};
use crate::domain::notification::{Hearing, Statement, Windows};
use crate::domain::status::Instant;

const TABLE: &str = include_str!("../../../../docs/events/README.md");
const HEADER: &str = "| held | registered | said | told |";
const NOON: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const STATUSES: [&str; 5] = ["INACTIVE", "ACTIVE", "SUSPENDED", "DEACTIVATED", "PAUSED"];

/// One row, as it stands.
struct Row {
    held: Vec<String>,
    registered: Vec<String>,
    said: Vec<String>,
    told: String,
}

fn rows() -> Vec<Row> {
    let mut in_table = false;
    let mut rows = Vec::new();
    for line in TABLE.lines() {
        in_table = line == HEADER || (in_table && line.starts_with('|'));
        if !in_table || line == HEADER || line.starts_with("|---") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [held, registered, said, told] = cells[..] else {
            panic!("four cells: {line}");
        };
        let or = |cell: &str| cell.split(", ").map(str::to_owned).collect::<Vec<_>>();
        rows.push(Row {
            held: or(held),
            registered: match registered {
                "any" => registrations(),
                _ => or(registered),
            },
            said: or(said),
            told: told.to_owned(),
        });
    }
    rows
}

fn registrations() -> Vec<String> {
    ["no", "yes"].into_iter().chain(STATUSES).map(str::to_owned).collect()
}

/// The statement of a cell: a status or `no status`, then in any order `by A+B`, `at hh:mm`, `untimed`, `field=value`.
fn statement(cell: &str, clock: &str) -> Statement {
    let mut statement = Statement {
        token: TokenReference::mdes("A"),
        index: 0,
        hash: hash(cell),
        status: None,
        suspended_by: BTreeSet::new(),
        reason_code: None,
        instant: Some(instant(clock)),
        metadata: BTreeMap::new(),
        unrecognized: serde_json::Map::new(),
        flags: BTreeSet::new(),
    };
    let rest = cell.strip_prefix("no status").unwrap_or_else(|| {
        let (status, rest) = cell.split_once(' ').unwrap_or((cell, ""));
        statement.status = Some(Status::from(status.to_owned()));
        rest
    });
    let mut words = rest.split_whitespace();
    while let Some(word) = words.next() {
        match (word, word.split_once('=')) {
            ("by", _) => {
                let names = words.next().expect("who").split('+');
                statement.suspended_by = names.map(str::to_owned).collect();
            }
            ("at", _) => statement.instant = Some(instant(words.next().expect("when"))),
            ("untimed", _) => statement.instant = None,
            (_, Some((field, value))) => {
                let value = (value != "null").then(|| Value::from(value));
                statement.metadata.insert(field.to_owned(), value);
            }
            _ => panic!("what is `{word}` in `{cell}`?"),
        }
    }
    statement
}

fn instant(clock: &str) -> Instant {
    let time = Time::parse(clock, format_description!("[hour]:[minute]")).expect("hh:mm");
    Instant::new(NOON.replace_time(time), false)
}

fn hash(text: &str) -> ContentHash {
    let mut bytes = [7_u8; 32];
    for (place, byte) in text.bytes().enumerate() {
        bytes[place % 32] = bytes[place % 32].wrapping_mul(31).wrapping_add(byte);
    }
    ContentHash(bytes)
}

fn hear(token: &Token, statement: &Statement, minute: i64) -> Decision {
    let hearing = Hearing {
        received_at: NOON + Duration::minutes(minute),
        notification: NotificationId(Uuid::from_u128(1)),
        heard_before: None,
    };
    token.after(statement, &hearing, &Windows::default())
}

fn registration(word: &str) -> Option<Registration> {
    let status = STATUSES.contains(&word).then(|| Status::from(word.to_owned()));
    (word != "no").then_some(Registration {
        requestor: None,
        merchant_reference: None,
        status,
        registered_at: NOON,
    })
}

/// The last cell of the row that begins with these.
fn play(held: &str, registered: &str, said: &str) -> String {
    let unheard = Token::unheard(TokenReference::mdes("A"));
    let before = match held {
        "-" => unheard,
        _ => hear(&unheard, &statement(held, "09:00"), 0).token,
    };
    let decision = hear(&before, &statement(said, "10:00"), 1);
    let told = told(&before, &decision, registration(registered).as_ref());
    let words: Vec<String> = told
        .iter()
        .map(|telling| format!("{} {}", telling.kind.as_str(), telling.advice.as_str()))
        .collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}

#[test]
fn every_row_of_the_table_is_what_is_told() {
    let rows = rows();
    assert!(rows.len() > 70, "only {} rows were found", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        for held in &row.held {
            for registered in &row.registered {
                for said in &row.said {
                    let told = play(held, registered, said);
                    if told != row.told {
                        wrong.push(format!("| {held} | {registered} | {said} | {told} |, not {}", row.told));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_status_after_every_other() {
    let rows = rows();
    let held = ["-", "no status"].into_iter().chain(STATUSES);
    let said = ["no status", "ON_HOLD"].into_iter().chain(STATUSES);
    for (held, said) in held.flat_map(|held| said.clone().map(move |said| (held, said))) {
        for registered in registrations() {
            let is_it = |row: &&Row| {
                let has = |cells: &[String], word: &str| cells.iter().any(|cell| cell == word);
                has(&row.held, held) && has(&row.registered, &registered) && has(&row.said, said)
            };
            let count = rows.iter().filter(is_it).count();
            assert_eq!(count, 1, "rows of | {held} | {registered} | {said} |");
        }
    }
}

#[test]
fn the_table_has_every_type_of_event() {
    let unspoken: Vec<&str> = EventType::ALL
        .iter()
        .map(|kind| kind.as_str())
        .filter(|word| !TABLE.contains(word))
        .collect();
    assert_eq!(unspoken, Vec::<&str>::new());
}

#[test]
fn what_is_told_says_which_of_the_changes_it_is_about() {
    let before = hear(
        &Token::unheard(TokenReference::mdes("A")),
        &statement("SUSPENDED by ISSUER", "09:00"),
        0,
    );
    let said = "ACTIVE tokenRequestorId=50100000001 tokenInfo.tokenExpiry=1132 tokenInfo.accountPanExpiry=1132";
    let decision = hear(&before.token, &statement(said, "10:00"), 1);
    let told = told(&before.token, &decision, None);
    let fields = |telling: &Telling| -> Vec<String> {
        let changes = telling.changes.iter();
        changes.map(|change| change.field.clone()).collect()
    };
    let fields: Vec<Vec<String>> = told.iter().map(fields).collect();
    let expected = [
        vec!["status", "suspendedBy", "tokenRequestorId"],
        vec!["tokenInfo.tokenExpiry"],
        vec!["tokenInfo.accountPanExpiry"],
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_repeat_tells_nothing() {
    let said = statement("ACTIVE", "09:00");
    let unheard = Token::unheard(TokenReference::mdes("A"));
    let token = hear(&unheard, &said, 0).token;
    let hearing = Hearing {
        received_at: NOON,
        notification: NotificationId(Uuid::from_u128(2)),
        heard_before: Some(NOON),
    };
    for before in [token, unheard] {
        let decision = before.after(&said, &hearing, &Windows::default());
        assert_eq!(told(&before, &decision, None), []);
    }
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let status = prop::sample::select(vec![
        "no status",
        "INACTIVE",
        "ACTIVE",
        "SUSPENDED",
        "SUSPENDED by ISSUER",
        "SUSPENDED by CARDHOLDER",
        "DEACTIVATED",
        "PAUSED",
    ]);
    let time = prop::sample::select(vec!["", " untimed", " at 08:00", " at 09:00", " at 10:00", " at 13:00"]);
    let fields = prop::sample::subsequence(
        vec![
            " tokenRequestorId=1",
            " tokenInfo.tokenNumber=····1234",
            " tokenInfo.tokenPanSuffix=1234",
            " tokenInfo.tokenPanSuffix=5678",
            " tokenInfo.tokenExpiry=1129",
            " tokenInfo.tokenExpiry=1132",
            " tokenInfo.accountPanSuffix=0011",
            " tokenInfo.someFutureField=1",
            " productConfig.shortDescription=a",
            " productConfig.shortDescription=null",
        ],
        0..4,
    );
    (status, time, fields).prop_map(|(status, time, fields)| {
        let cell = format!("{status}{time}{}", fields.concat());
        statement(&cell, "09:30")
    })
}

proptest! {
    /// Each change is told, whole, under the sequence that it took; what changed nothing is told only if it is news that
    /// the token is there, or that it wakes.
    #[test]
    fn every_change_is_told_and_nothing_else(
        said in prop::collection::vec(any_statement(), 1..20),
        registered in prop::sample::select(registrations()),
    ) {
        let registration = registration(&registered);
        let mut token = Token::unheard(TokenReference::mdes("A"));
        for (minute, statement) in (0..).zip(&said) {
            let decision = hear(&token, statement, minute);
            let told = told(&token, &decision, registration.as_ref());
            let advanced = decision.verdict == Verdict::Advanced;
            prop_assert_eq!(decision.token.sequence, token.sequence + u64::from(advanced));
            let is_news = token.is_unheard() && registration.is_none();
            let woke = decision.verdict == Verdict::Anomaly;
            prop_assert_eq!(told.is_empty(), !(advanced || is_news || woke), "{:?}", decision);
            for change in &decision.changes {
                let about = told.iter().filter(|telling| telling.changes.contains(change)).count();
                prop_assert!(about >= 1, "{:?} of {:?}", change, told);
                prop_assert!(is_news || about == 1, "{:?} of {:?}", change, told);
            }
            let kinds: BTreeSet<EventType> = told.iter().map(|telling| telling.kind).collect();
            prop_assert_eq!(kinds.len(), told.len(), "no type twice: {:?}", told);
            token = decision.token;
        }
    }
}
