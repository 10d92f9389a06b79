//! What is answered.

use serde_json::{Value, json};

use super::{
    Shape, id, id_or_null, list, object, of, or_null, page, says, text, time, time_or_null, whole, words, yes_or_no,
};

const STATES: [&str; 5] = ["due", "leased", "parked", "delivered", "skipped"];
const ADVICE: [&str; 6] = [
    "stop_charging",
    "resume_charging",
    "refresh_card_details",
    "request_new_token",
    "confirm",
    "none",
];

pub(super) fn all() -> Vec<Shape> {
    let mut all = tokens();
    all.extend(charge());
    all.extend(story());
    all.extend(commands());
    all.extend(told());
    all.extend(received());
    all.extend(shown());
    all
}

fn whose() -> [Shape; 2] {
    [
        ("namespace", words(&["mdes", "tokenex"])),
        ("token_unique_reference", text()),
    ]
}

fn tokens() -> Vec<Shape> {
    let mut token = whose().to_vec();
    token.extend([
        ("token_requestor_id", or_null("string")),
        ("merchant_reference", or_null("string")),
        ("sequence", says("Its version: how many changes were applied", whole())),
        (
            "status",
            says("MDES's word, verbatim; null: nothing was said of it", or_null("string")),
        ),
        ("suspended_by", list(text())),
        ("status_at", time_or_null()),
        ("reason_code", or_null("string")),
        ("advice", says("What to do about it", words(&ADVICE))),
        (
            "provisional",
            says("It may turn out otherwise; `doubts` say why", yes_or_no()),
        ),
        ("doubts", list(text())),
        ("token_info", json!({ "type": "object" })),
        ("product_config", json!({ "type": "object" })),
        ("registration", says("What you said of it", or_null("object"))),
        ("updated_at", time()),
        (
            "unreadable",
            says(
                "What of its row cannot be read: then nothing else is known",
                or_null("string"),
            ),
        ),
    ]);
    let mut registered = whose().to_vec();
    registered.push(("registered", words(&["new", "known", "again"])));
    let registered_page = object("One answer each, in their order", &[("items", list(of("Registered")))]);
    let mut revealed = whose().to_vec();
    revealed.extend([
        ("token_number", says("The number itself", text())),
        ("notification_id", id()),
    ]);
    let counts = json!({ "type": "object", "additionalProperties": whole() });
    let erased = [
        ("rows", says("How many rows went, by table", counts)),
        (
            "shared_notifications",
            says("Stay, since they speak of other tokens too", whole()),
        ),
        ("dry_run", says("Nothing went", yes_or_no())),
    ];
    vec![
        ("Erased", object("What went", &erased)),
        ("Token", object("A token as it stands", &token)),
        ("TokenPage", page("Token")),
        ("Registered", object("What became of a registration", &registered)),
        ("RegisteredPage", registered_page),
        (
            "RegisteredOrPage",
            json!({ "oneOf": [of("Registered"), of("RegisteredPage")] }),
        ),
        ("Revealed", object("A token's own number", &revealed)),
        ("Lines", says("One Token a line", text())),
    ]
}

fn charge() -> Vec<Shape> {
    let as_of = object(
        "As of when",
        &[
            (
                "status_at",
                says("When the status became so, as the network says", time_or_null()),
            ),
            (
                "updated_at",
                says("When what is held of it last changed, or was said again", time()),
            ),
        ],
    );
    let mut fields = vec![
        ("charge", says("The answer", words(&["yes", "no", "confirm"]))),
        ("why", text()),
    ];
    fields.extend(whose());
    fields.extend([
        ("merchant_reference", or_null("string")),
        ("status", or_null("string")),
        ("suspended_by", list(text())),
        ("provisional", yes_or_no()),
        ("doubts", list(text())),
        ("as_of", as_of),
        ("sequence", whole()),
    ]);
    let one = object("About one token", &fields);
    fields.push(("tokens", says("All tokens of that reference", list(of("ChargeOfOne")))));
    vec![("ChargeOfOne", one), ("Charge", object("May it be charged", &fields))]
}

fn story() -> Vec<Shape> {
    let scene = [
        ("kind", words(&["heard", "changed", "told", "commanded"])),
        ("at", time()),
        ("summary", says("In words", text())),
    ];
    let says = "One thing that happened to a token; the other fields go by its kind";
    vec![("Scene", object(says, &scene)), ("Story", page("Scene"))]
}

fn commands() -> Vec<Shape> {
    let mut command = vec![("id", id())];
    command.extend(whose());
    command.extend([
        ("action", words(&["suspend", "resume", "delete"])),
        ("through", words(&["tokenex", "mdes"])),
        ("stage", text()),
        ("final", yes_or_no()),
        ("proof", or_null("string")),
        ("code", or_null("string")),
        ("why", text()),
        ("sends", whole()),
        ("asked_by", text()),
        ("waits_for_approval", yes_or_no()),
        ("approved_by", or_null("string")),
        ("answer", json!({ "description": "What the service said last" })),
        ("created_at", time()),
        ("updated_at", time()),
        ("due_at", time_or_null()),
        ("target", json!({ "type": "object" })),
    ]);
    let joined = [("links", whole()), ("new", whole())];
    let link = [
        ("token_unique_reference", text()),
        ("tokenex_token", text()),
        ("token_reference_id", or_null("string")),
    ];
    vec![
        (
            "Command",
            object("What is wanted of a token, and how far it is", &command),
        ),
        ("CommandPage", page("Command")),
        ("KeptLink", object("Names of one token", &link)),
        ("LinkPage", page("KeptLink")),
        ("Joined", object("How many were joined", &joined)),
        ("Removed", object("It is gone", &[("removed", yes_or_no())])),
    ]
}

fn told() -> Vec<Shape> {
    let event = [
        ("id", id()),
        ("type", text()),
        ("version", whole()),
        ("timestamp", time()),
        ("data", says("As `docs/events` has it", json!({ "type": "object" }))),
    ];
    let events = [("items", list(of("Event"))), ("next", text()), ("more", yes_or_no())];
    let counted = [("deliveries", whole()), ("dry_run", yes_or_no())];
    let replayed = [("events", whole()), ("dry_run", yes_or_no())];
    let forgotten = [("name", text()), ("set_aside", whole())];
    let paused = [("name", text()), ("paused", yes_or_no()), ("changed", yes_or_no())];
    let frames = "Server-Sent Events: `id` is a cursor, `event` the type, `data` an Event";
    vec![
        ("Event", object("What a merchant is told", &event)),
        ("EventPage", object("A page, in the order of commits", &events)),
        ("Frames", says(frames, text())),
        ("Delivery", delivery()),
        ("DeliveryPage", page("Delivery")),
        ("Counted", object("How many", &counted)),
        ("Replayed", object("How many", &replayed)),
        ("Paused", object("A destination", &paused)),
        ("Forgotten", object("A destination", &forgotten)),
        ("Destination", destination()),
        (
            "Destinations",
            object("All of them", &[("items", list(of("Destination")))]),
        ),
    ]
}

fn destination() -> Value {
    let fields = [
        ("name", text()),
        ("configured", yes_or_no()),
        ("kind", or_null("string")),
        ("cursor", or_null("string")),
        ("behind", or_null("integer")),
        ("snapshotting", yes_or_no()),
        ("open", or_null("integer")),
        ("parked", or_null("integer")),
        ("oldest_open", time_or_null()),
        ("paused_at", time_or_null()),
        ("paused_reason", or_null("string")),
    ];
    object("Who is told, and how far they are", &fields)
}

fn delivery() -> Value {
    let fields = [
        ("id", whole()),
        ("destination", text()),
        ("event_id", id()),
        ("event_cursor", text()),
        ("type", text()),
        ("namespace", or_null("string")),
        ("token_unique_reference", or_null("string")),
        ("state", words(&STATES)),
        ("attempts", whole()),
        ("due_at", time()),
        ("failing_since", time_or_null()),
        ("out_of_order", yes_or_no()),
        ("replayed", yes_or_no()),
        ("attempted_at", time_or_null()),
        ("answer_status", or_null("integer")),
        ("answer", or_null("string")),
        ("settled_at", time_or_null()),
        ("settled_by", or_null("string")),
    ];
    object("An event on its way to a destination", &fields)
}

fn received() -> Vec<Shape> {
    let peer = [
        ("name", text()),
        ("organization", or_null("string")),
        ("address", text()),
        ("certificate_sha256", text()),
    ];
    let notification = [
        ("id", id()),
        ("request_id", text()),
        ("received_at", time()),
        ("peer", of("Peer")),
        ("sealed_by", words(&["sender", "us"])),
        ("sealed_bytes", whole()),
        ("key", text()),
        ("repeats", whole()),
        ("flags", list(text())),
    ];
    let redriven = [
        ("outcome", words(&["recorded", "still_unreadable"])),
        ("notification_id", id_or_null()),
        ("reason", or_null("string")),
        ("detail", or_null("string")),
    ];
    vec![
        ("Peer", object("Who sent it", &peer)),
        (
            "Notification",
            object("What Mastercard sent, without its body", &notification),
        ),
        ("NotificationPage", page("Notification")),
        ("Quarantined", quarantined()),
        ("QuarantinePage", page("Quarantined")),
        ("Redriven", object("What became of it", &redriven)),
    ]
}

fn quarantined() -> Value {
    let fields = [
        ("id", id()),
        ("received_at", time()),
        ("peer", of("Peer")),
        ("reason", text()),
        ("detail", text()),
        ("notification_id", id_or_null()),
        ("token_index", or_null("integer")),
        ("body_bytes", whole()),
        ("sealed_by", words(&["sender", "us"])),
        ("tries", whole()),
        ("resolved_at", time_or_null()),
        ("resolution", or_null("string")),
    ];
    object("What came in and could not be used", &fields)
}

fn shown() -> Vec<Shape> {
    let certificate = [
        ("purpose", text()),
        ("setting", text()),
        ("file", text()),
        ("subject", text()),
        ("sha256", text()),
        ("not_before", time_or_null()),
        ("not_after", time_or_null()),
        ("days_left", or_null("integer")),
        ("problem", or_null("string")),
    ];
    let name = object("A name of a key", &[("label", text()), ("value", text())]);
    let key = [
        ("spki_sha256", text()),
        ("is_newest", yes_or_no()),
        ("names", list(name)),
    ];
    let entry = [
        ("id", id()),
        ("at", time()),
        ("who", text()),
        ("role", or_null("string")),
        ("came_from", text()),
        ("what", text()),
        ("about", text()),
        ("why", or_null("string")),
        ("outcome", text()),
    ];
    let problem = [
        ("type", text()),
        ("title", text()),
        ("status", whole()),
        ("detail", says("What to do", text())),
    ];
    vec![
        (
            "Certificate",
            object("A certificate or a revocation list", &certificate),
        ),
        (
            "Certificates",
            object("All of them", &[("items", list(of("Certificate")))]),
        ),
        ("Key", object("A decryption key", &key)),
        ("Keys", object("All of them", &[("items", list(of("Key")))])),
        ("AuditEntry", object("An act, or a look at a number", &entry)),
        ("AuditPage", page("AuditEntry")),
        ("Problem", object("A refusal (RFC 9457)", &problem)),
    ]
}
