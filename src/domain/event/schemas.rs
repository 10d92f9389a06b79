//! The schemas of `docs/events/`, generated from the types: a file that is other than its type fails here.
//!
//! `UPDATE_SCHEMAS=1 cargo nextest run --lib schemas` writes them anew.

use std::fs;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Current, Event, EventType, VERSION};
use crate::domain::alarm::Alert;

/// What an attempt adds to `data`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is of use")]
struct Added {
    /// The token as of this attempt; not there if the event speaks of no token.
    #[schemars(with = "Option<Current>")]
    current: Current,
    /// It overtook earlier events of its token, which come later with a lower sequence; only there if it did.
    out_of_order: Option<bool>,
    /// It was sent before, and somebody asked for it again; only there if so.
    replayed: Option<bool>,
}

fn schema(kind: EventType) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let current = generator.subschema_for::<Current>();
    let added: Value = generator.root_schema_for::<Added>().into();
    let mut schema: Value = generator.into_root_schema_for::<Event>().into();
    narrow(&mut schema, kind);
    let data = &mut schema["$defs"]["EventData"]["properties"];
    for name in ["out_of_order", "replayed"] {
        let description = &added["properties"][name]["description"];
        data[name] = json!({ "const": true, "description": description });
    }
    data["current"] = Value::from(current);
    data["current"]["description"] = added["properties"]["current"]["description"].clone();
    about_a_command(&mut schema, kind);
    about_an_alarm(&mut schema, kind);
    schema
}

/// What is about a command says which; nothing else speaks of one.
fn about_a_command(schema: &mut Value, kind: EventType) {
    let data = &mut schema["$defs"]["EventData"];
    if kind.is_of_command() {
        let description = data["properties"]["command"]["description"].clone();
        data["properties"]["command"] = json!({ "$ref": "#/$defs/OfCommand", "description": description });
        data["required"].as_array_mut().expect("names").push(json!("command"));
        return;
    }
    data["properties"].as_object_mut().expect("fields").remove("command");
    let definitions = schema["$defs"].as_object_mut().expect("definitions");
    for name in ["OfCommand", "CommandId", "Action", "Service", "Stage", "Proof"] {
        definitions.remove(name).expect("a command is made of it");
    }
}

/// What is about an alarm says which; nothing else speaks of one.
fn about_an_alarm(schema: &mut Value, kind: EventType) {
    let data = &mut schema["$defs"]["EventData"];
    if kind.is_of_alarm() {
        let description = data["properties"]["alarm"]["description"].clone();
        data["properties"]["alarm"] = json!({ "$ref": "#/$defs/OfAlarm", "description": description });
        data["required"].as_array_mut().expect("names").push(json!("alarm"));
        let kinds = Alert::ALL.iter().filter(|alert| alert.kind().event() == kind);
        let names: Vec<&str> = kinds.map(|alert| alert.as_str()).collect();
        schema["$defs"]["Alert"] = json!({ "type": "string", "enum": names });
        return;
    }
    data["properties"].as_object_mut().expect("fields").remove("alarm");
    let definitions = schema["$defs"].as_object_mut().expect("definitions");
    for name in ["OfAlarm", "Alert", "State"] {
        definitions.remove(name).expect("an alarm is made of it");
    }
}

/// To the one type: its word, and what it means.
fn narrow(schema: &mut Value, kind: EventType) {
    let kinds = schema["$defs"]["EventType"]["oneOf"].take();
    let is_it = |entry: &&Value| entry["const"] == kind.as_str();
    let entry = kinds.as_array().and_then(|kinds| kinds.iter().find(is_it));
    let entry = entry.expect("every type is in the schema of types");
    schema["title"] = json!(kind.as_str());
    schema["description"] = entry["description"].clone();
    schema["properties"]["type"] = json!({ "const": kind.as_str() });
    schema["properties"]["version"]["const"] = json!(VERSION);
    let definitions = schema["$defs"].as_object_mut().expect("definitions");
    definitions.remove("EventType");
}

fn file(kind: EventType) -> PathBuf {
    PathBuf::from(format!("docs/events/{}.schema.json", kind.as_str()))
}

#[test]
fn the_schemas_in_docs_are_those_of_the_types_and_no_others() {
    for kind in EventType::ALL {
        let schema = schema(*kind);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
        let file = file(*kind);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&file, &text).expect("the folder is there");
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == text,
            "{} is not what the types say: UPDATE_SCHEMAS=1 cargo nextest run --lib schemas",
            file.display()
        );
    }
    assert_eq!(kinds_in_docs(), EventType::ALL);
}

fn kinds_in_docs() -> Vec<EventType> {
    let files = fs::read_dir("docs/events").expect("the folder is there");
    let names = files.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let kind = |name: &str| {
        let kind = EventType::parse(name.strip_suffix(".schema.json")?);
        Some(kind.unwrap_or_else(|| panic!("{name} is of no type")))
    };
    let mut kinds: Vec<EventType> = names.filter_map(|name| kind(&name)).collect();
    kinds.sort();
    kinds
}
