//! What is asked.

use serde_json::{Value, json};

use super::{Shape, body, of, says, words, yes_or_no};
use crate::domain::event::EventType;
use crate::http::admin::route::NAME;
use crate::store::written::REASON_CHARS_MAX;

/// No control character, and no space at either end; an empty text says as little as none.
const PLAIN: &str =
    r"^([^\u0000-\u001f\u007f-\u009f\s]([^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u001f\u007f-\u009f\s])?)?$";
/// One line that is not only spaces.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u001f\u007f-\u009f\s][^\u0000-\u001f\u007f-\u009f]*$";
/// One line, or nothing.
const LINE_OR_NONE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

pub(super) fn all() -> Vec<Shape> {
    let mut all = reasons();
    all.extend(registering());
    all.extend(ordering());
    all.extend(joining());
    all.extend(acting());
    all.extend(replaying());
    all
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": NAME })
}

fn name_or_none() -> Value {
    json!({ "type": ["string", "null"], "maxLength": 256, "pattern": PLAIN })
}

/// Of which at least one is there, and not null.
fn one_of(fields: &[&str]) -> Value {
    let given = |field: &&str| json!({ "required": [field], "properties": { *field: { "not": { "type": "null" } } } });
    fields.iter().map(given).collect()
}

/// A namespace says whose reference a token is, and nothing without one.
fn namespace_needs_token(body: &mut Value) {
    body["if"] = one_of(&["namespace"])[0].clone();
    body["then"] = one_of(&["token"])[0].clone();
}

fn namespace_or_none() -> Value {
    let shape = json!({ "enum": ["mdes", "tokenex", "", null] });
    says("Whose reference it is; `mdes` if nobody says", shape)
}

fn reason() -> Value {
    let shape = json!({ "type": "string", "minLength": 1, "maxLength": REASON_CHARS_MAX, "pattern": LINE });
    says(
        "Why, in one line, for whoever looks at it next year; numbers are masked",
        shape,
    )
}

fn reason_or_none() -> Value {
    let shape = json!({ "type": ["string", "null"], "maxLength": REASON_CHARS_MAX, "pattern": LINE_OR_NONE });
    says("Why, in one line; numbers are masked", shape)
}

fn reasons() -> Vec<Shape> {
    let may = "Why, if it is to be said";
    vec![
        ("Because", body("Why", &["reason"], &[("reason", reason())])),
        ("Erasing", erasing()),
        ("Forgetting", forgetting()),
        ("MaybeBecause", body(may, &[], &[("reason", reason_or_none())])),
    ]
}

fn forgetting() -> Value {
    let confirm = says("Its name", json!({ "type": ["string", "null"] }));
    body(
        "Let go of it",
        &["reason"],
        &[("reason", reason()), ("confirm", confirm)],
    )
}

fn erasing() -> Value {
    let confirm = "The last four characters of the reference, unless it is a dry run";
    let force = "Erase what somebody was not told of yet, is asked after, or is open in quarantine, too";
    let fields = [
        ("reason", reason()),
        ("confirm", says(confirm, json!({ "type": ["string", "null"] }))),
        ("force", says(force, yes_or_no())),
        ("dry_run", says("Count what would go, and change nothing", yes_or_no())),
    ];
    body("That it is meant, and why", &["reason"], &fields)
}

fn registration() -> Vec<Shape> {
    let statuses = json!({ "enum": ["INACTIVE", "ACTIVE", "SUSPENDED", "DEACTIVATED", "", null] });
    vec![
        ("namespace", namespace_or_none()),
        (
            "reference",
            says("MDES's tokenUniqueReference, or TokenEx's token", name()),
        ),
        ("token_requestor_id", says("Whose token it is (TRID)", name_or_none())),
        (
            "merchant_reference",
            says("Your own reference for the card or customer", name_or_none()),
        ),
        ("status", says("The status that you know of", statuses)),
    ]
}

fn registering() -> Vec<Shape> {
    let one = body("A token that you made", &["reference"], &registration());
    let items = json!({ "type": "array", "minItems": 1, "maxItems": 1000, "items": of("Registration") });
    let several = body("Several tokens, no two the same", &["items"], &[("items", items)]);
    vec![
        ("Registration", one),
        ("Registrations", several),
        (
            "Registering",
            json!({ "oneOf": [of("Registration"), of("Registrations")] }),
        ),
    ]
}

fn ordering() -> Vec<Shape> {
    let code = json!({ "type": ["string", "null"], "maxLength": 64, "pattern": "^[A-Z0-9_]*$" });
    let reason = json!({ "type": ["string", "null"], "maxLength": 256, "pattern": LINE_OR_NONE });
    let confirm = "The last four characters of the reference of a token that is to be deleted";
    let through = json!({ "enum": ["tokenex", "mdes", "", null] });
    let fields = [
        ("action", words(&["suspend", "resume", "delete"])),
        ("through", says("Which service carries it out", through)),
        ("namespace", namespace_or_none()),
        (
            "token_reference_id",
            says(
                "Which network token of a TokenEx token",
                json!({ "type": ["string", "null"] }),
            ),
        ),
        (
            "caused_by",
            json!({ "enum": ["TOKEN_REQUESTOR", "CARDHOLDER", "", null] }),
        ),
        ("reason_code", says("`OTHER` if nobody says, `SUSPECTED_FRAUD` …", code)),
        (
            "reason",
            says("For people; the network is told it, numbers are masked", reason),
        ),
        ("force", says("Send it even if it cannot work", yes_or_no())),
        ("confirm", says(confirm, json!({ "type": ["string", "null"] }))),
    ];
    vec![("Ordering", body("What is wanted of a token", &["action"], &fields))]
}

fn joining() -> Vec<Shape> {
    let fields = [
        ("token_unique_reference", says("MDES's name", name())),
        ("tokenex_token", says("TokenEx's", name())),
        (
            "token_reference_id",
            says("Which network token of TokenEx's token", name_or_none()),
        ),
    ];
    let required = ["token_unique_reference", "tokenex_token"];
    let items = json!({ "type": "array", "minItems": 1, "maxItems": 1000, "items": of("Link") });
    vec![
        ("Link", body("Names of one token", &required, &fields)),
        ("Links", body("Several links", &["items"], &[("items", items)])),
        ("Joining", json!({ "oneOf": [of("Link"), of("Links")] })),
    ]
}

/// A text that is only compared.
fn sought() -> Value {
    json!({ "type": ["string", "null"], "pattern": r"^[^\u0000]*$", "maxLength": 256 })
}

fn dry_run() -> (&'static str, Value) {
    ("dry_run", says("Only count", yes_or_no()))
}

fn acting() -> Vec<Shape> {
    let mut filter = body(
        "Which deliveries: each part narrows, and one must be there",
        &[],
        &[
            (
                "id",
                json!({ "type": ["integer", "null"], "minimum": 0, "maximum": i64::MAX }),
            ),
            ("destination", sought()),
            ("token", sought()),
            ("namespace", json!({ "enum": ["mdes", "tokenex", null] })),
            ("event", json!({ "type": ["string", "null"], "format": "uuid" })),
            (
                "state",
                json!({ "enum": ["due", "leased", "parked", "delivered", "skipped", null] }),
            ),
        ],
    );
    filter["anyOf"] = one_of(&["id", "destination", "token", "event", "state"]);
    namespace_needs_token(&mut filter);
    let given = ("filter", of("DeliveryFilter"));
    let retrying = [given.clone(), dry_run(), ("reason", reason_or_none())];
    let skipping = [given, dry_run(), ("reason", reason())];
    vec![
        ("DeliveryFilter", filter),
        ("Retrying", body("What is to be tried again", &["filter"], &retrying)),
        (
            "Skipping",
            body("What is to be set aside, and why", &["filter", "reason"], &skipping),
        ),
    ]
}

fn replaying() -> Vec<Shape> {
    let instant = || json!({ "type": ["string", "null"], "format": "date-time" });
    let kinds = EventType::ALL.iter().map(|kind| kind.as_str());
    let kinds: Vec<&str> = kinds.chain(["*", "token.*", "card.*", "command.*", "ops.*"]).collect();
    let types = json!({ "type": "array", "maxItems": 100, "items": { "enum": kinds } });
    let mut replaying = body(
        "Which events, and to whom: `since` or `token` must be there",
        &["destination"],
        &[
            (
                "destination",
                json!({ "type": "string", "pattern": r"^[^\u0000]*$", "maxLength": 256 }),
            ),
            ("since", says("Recorded then or later", instant())),
            ("until", says("Recorded before", instant())),
            ("token", sought()),
            ("namespace", json!({ "enum": ["mdes", "tokenex", null] })),
            ("types", types),
            dry_run(),
            ("reason", reason_or_none()),
        ],
    );
    replaying["anyOf"] = one_of(&["since", "token"]);
    namespace_needs_token(&mut replaying);
    vec![("Replaying", replaying)]
}
