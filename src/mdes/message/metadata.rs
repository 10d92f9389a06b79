//! `tokenInfo` and `productConfig`, each of their fields a register of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::{self, Field};
use crate::domain::masked;
use crate::domain::notification::{FieldName, Flag};

/// The registers: `None` clears, absent states nothing.
pub(super) type Metadata = BTreeMap<FieldName, Option<Value>>;

const PRODUCT_CONFIG: &str = "productConfig";
const COMBINED: &str = "cardBackgroundCombinedAssetId";
const PLAIN: &str = "cardBackgroundAssetId";

/// The fields of `tokenInfo`.
pub(super) fn read_token_info(object: &Map<String, Value>, into: &mut Metadata, flags: &mut BTreeSet<Flag>) {
    read("tokenInfo", fields::TOKEN_INFO, object, into, flags);
}

/// The fields of `productConfig`, and what they say about each other.
pub(super) fn read_product_config(object: &Map<String, Value>, into: &mut Metadata, flags: &mut BTreeSet<Flag>) {
    read(PRODUCT_CONFIG, fields::PRODUCT_CONFIG, object, into, flags);

    let register = |name| format!("{PRODUCT_CONFIG}.{name}");
    if into.get(&register("isCoBranded")) == Some(&Some(Value::Bool(false))) {
        into.insert(register("coBrandName"), None);
        into.insert(register("coBrandLogoAssetId"), None);
    }
    // "This or the next is given": one replaces the other.
    match (
        into.contains_key(&register(COMBINED)),
        into.contains_key(&register(PLAIN)),
    ) {
        (true, false) => into.insert(register(PLAIN), None),
        (false, true) => into.insert(register(COMBINED), None),
        _ => None,
    };
}

/// `tokenRequestorId`.
pub(super) fn read_requestor(value: &Value, into: &mut Metadata, flags: &mut BTreeSet<Flag>) {
    if !value.is_null() {
        let field = fields::REQUESTOR;
        into.insert(field.name.to_owned(), Some(field.read(value, flags)));
    }
}

fn read(name: &str, known: &[Field], object: &Map<String, Value>, into: &mut Metadata, flags: &mut BTreeSet<Flag>) {
    for (key, value) in object {
        let field = known.iter().find(|field| field.name == key);
        if field.is_none() {
            flags.insert(Flag::UnknownField);
        }
        if value.is_null() {
            continue;
        }
        let read = match field {
            Some(field) => field.read(value, flags),
            None => fields::mask(value.clone(), flags),
        };
        let key = masked::without_numbers(key);
        into.insert(format!("{name}.{key}"), Some(read));
    }
}
