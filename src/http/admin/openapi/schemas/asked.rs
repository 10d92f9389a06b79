//! What is answered of what we ask the network by ourselves, and what begins it.

use serde_json::{Value, json};

use super::{
    Shape, body, id, id_or_null, list, object, of, or_null, page, says, text, time, time_or_null, whole, words,
    yes_or_no,
};
use crate::domain::alarm::{Alert, Kind};

pub(super) fn all() -> Vec<Shape> {
    let items = [("items", list(of("Question")))];
    let since = json!({ "type": ["string", "null"], "format": "date-time" });
    let wanted = [
        (
            "namespaces",
            says("Whose tokens; none: of all that somebody answers for", namespaces()),
        ),
        (
            "since",
            says("Only tokens of which nothing was received since then", since),
        ),
        ("dry_run", says("Look, and change nothing", yes_or_no())),
    ];
    vec![
        ("Reconciling", body("What is to be compared", &[], &wanted)),
        ("Reconcile", reconcile()),
        ("ReconcilePage", page("Reconcile")),
        ("Finding", finding()),
        ("FindingPage", page("Finding")),
        ("Question", question()),
        ("Questions", object("Those that need a person first", &items)),
        ("Gap", gap()),
        ("GapPage", page("Gap")),
        ("Alarm", alarm()),
        ("Alarms", alarms()),
        ("Bytes", says("The medium, as it came", text())),
    ]
}

fn namespaces() -> Value {
    json!({ "type": "array", "items": words(&["mdes", "tokenex"]), "uniqueItems": true })
}

fn token() -> [Shape; 2] {
    [("namespace", words(&["mdes", "tokenex"])), ("reference", text())]
}

fn reconcile() -> Value {
    let mut fields = vec![
        ("id", id()),
        ("cause", words(&["person", "schedule", "gap"])),
        ("asked_by", text()),
        ("namespaces", namespaces()),
        ("since", time_or_null()),
        ("dry_run", yes_or_no()),
        (
            "total",
            says(
                "How many there were to compare; null: it has not begun",
                or_null("integer"),
            ),
        ),
    ];
    let counts = ["agrees", "repaired", "differs", "moved", "not_there", "unanswered"];
    fields.extend(counts.map(|count| (count, whole())));
    fields.extend([
        ("cursor", says("It is after this token", or_null("object"))),
        ("created_at", time()),
        ("updated_at", time()),
        ("ended_at", time_or_null()),
        ("stopped", yes_or_no()),
    ]);
    object("A comparison of what is held with what the network says", &fields)
}

fn alarm() -> Value {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let alerts: Vec<&str> = Alert::ALL.iter().map(|alert| alert.as_str()).collect();
    let about = "Of what: a destination's name, a file …; empty if there is only one such thing";
    let fields = [
        ("kind", says("Told as the event `ops.` and this", words(&kinds))),
        (
            "alert",
            says("By which it has its entry in the runbook", words(&alerts)),
        ),
        ("about", says(about, text())),
        ("says", says("What is so, in one sentence", text())),
        ("count", says("How many things", whole())),
        ("next_step", says("The first thing to do about it", text())),
        ("runbook", text()),
        ("since", time()),
        ("seen_at", says("When a replica last saw it", time())),
    ];
    object("Something that needs a person", &fields)
}

fn alarms() -> Value {
    let looked = says("When a replica last looked; null: none ever did", time_or_null());
    let fields = [("items", list(of("Alarm"))), ("looked_at", looked)];
    object("What needs a person", &fields)
}

fn finding() -> Value {
    let mut fields = token().to_vec();
    fields.extend([
        (
            "finding",
            words(&["agrees", "repaired", "differs", "moved", "not_there", "unanswered"]),
        ),
        ("held", or_null("string")),
        ("seen", or_null("string")),
        ("seen_at", time_or_null()),
        ("notification", id_or_null()),
        ("sequence", whole()),
        ("why", text()),
        ("at", time()),
    ]);
    object("What was found of one token", &fields)
}

fn question() -> Value {
    let mut fields = token().to_vec();
    fields.extend([
        ("doubts", list(text())),
        ("asks", whole()),
        ("finding", or_null("string")),
        ("why", or_null("string")),
        ("given_up", says("It needs a person", yes_or_no())),
        ("opened_at", time()),
        ("due_at", time()),
    ]);
    object("A token in doubt", &fields)
}

fn gap() -> Value {
    let fields = [
        ("id", id()),
        ("missed", words(&["downtime", "refused", "unavailable"])),
        ("peer", text()),
        ("reason", text()),
        ("count", whole()),
        ("from", time()),
        ("until", time()),
        ("closed", yes_or_no()),
        ("reconcile", id_or_null()),
    ];
    object("A time in which a notification may have been missed", &fields)
}
