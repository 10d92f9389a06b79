//! Reading: lenient with types, exact in meaning, and never with a card number left in it.

use mdes_receiver::domain::notification::{Flag, Notification, Statement};
use mdes_receiver::domain::status::{Instant, Status};
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes::{self, Field, Reading, Reason, Unreadable};
use serde_json::{Value, json};
use time::macros::datetime;

use super::{NOW, RULES, fixture};

const REFERENCE: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";

fn ring() -> KeyRing {
    fixture().ring(&[2048])
}

/// What a body says whose sealed content is this.
fn told(content: &Value) -> Result<Notification, Unreadable> {
    told_by(content, &ring(), &RULES)
}

fn told_by(content: &Value, ring: &KeyRing, rules: &Reading) -> Result<Notification, Unreadable> {
    let body = mdes::seal(content.to_string().as_bytes(), ring.newest());
    mdes::read(&body, ring, rules, NOW).map(|read| read.notification)
}

/// What is said by one token with these fields beside its reference.
fn said(fields: Value) -> Statement {
    let mut token = json!({"tokenUniqueReference": REFERENCE});
    token
        .as_object_mut()
        .expect("an object")
        .extend(fields.as_object().cloned().expect("an object"));
    let mut notification = told(&json!({"tokens": [token]})).expect("it can be read");
    notification.statements.remove(0)
}

fn flags(statement: &Statement) -> Vec<Flag> {
    statement.flags.iter().copied().collect()
}

fn field<'s>(statement: &'s Statement, name: &str) -> Option<&'s Value> {
    statement.metadata.get(name).and_then(Option::as_ref)
}

#[test]
fn an_ordinary_token_is_read_without_a_flag() {
    let statement = said(json!({
        "tokenRequestorId": "50100000001", "status": "SUSPENDED", "suspendedBy": ["ISSUER"],
        "eventReasonCode": "SUSPECTED_FRAUD", "statusTimestamp": "2026-11-02T09:15:03.120Z",
        "tokenInfo": {"tokenPanSuffix": "9436", "accountPanPrefix": "520473", "accountPanSuffix": "0011",
            "tokenExpiry": "1029", "accountPanExpiry": "0331", "dsrpCapable": true, "tokenAssuranceLevel": 3,
            "productCategory": "CREDIT"}
    }));
    assert_eq!(flags(&statement), []);
    assert_eq!(statement.token.reference, REFERENCE);
    assert_eq!(statement.status, Some(Status::Suspended));
    assert_eq!(statement.suspended_by, ["ISSUER".to_owned()].into());
    assert_eq!(statement.reason_code.as_deref(), Some("SUSPECTED_FRAUD"));
    assert_eq!(
        statement.instant,
        Some(Instant::new(datetime!(2026-11-02 09:15:03.120 UTC), false))
    );
    assert_eq!(field(&statement, "tokenRequestorId"), Some(&json!("50100000001")));
    assert_eq!(field(&statement, "tokenInfo.dsrpCapable"), Some(&json!(true)));
    assert_eq!(field(&statement, "tokenInfo.tokenAssuranceLevel"), Some(&json!(3)));
    assert_eq!(statement.metadata.len(), 9);
}

#[test]
fn the_hostile_sample_is_read_whole() {
    let notification = told(&json!({"tokens": [
        {"tokenUniqueReference": REFERENCE, "status": "SUSPENDED", "suspendedBy": ["ISSUER", "SOMETHING_NEW"],
         "eventReasonCode": "A_CODE_NOT_KNOWN_YET", "statusTimestamp": "2026-11-07T00:00:00Z", "correlationId": "c-1",
         "error": null, "tokenInfo": {"tokenPanSuffix": "0001", "accountPanPrefix": 520_473, "accountPanSuffix": "0011",
         "tokenExpiry": 921, "dsrpCapable": "true"}},
        {"tokenUniqueReference": "DM4MMC2", "status": "PENDING_ACTIVATION", "someFutureObject": {"a": 1}}
    ]}))
    .expect("it can be read");
    let [first, second] = notification.statements.as_slice() else {
        panic!("two tokens");
    };
    assert_eq!(
        flags(first),
        [
            Flag::OddField,
            Flag::UnknownField,
            Flag::UnknownReason,
            Flag::UnknownSuspender
        ]
    );
    assert_eq!(field(first, "tokenInfo.tokenExpiry"), Some(&json!("0921")));
    assert_eq!(field(first, "tokenInfo.accountPanPrefix"), Some(&json!("520473")));
    assert_eq!(field(first, "tokenInfo.dsrpCapable"), Some(&json!(true)));
    assert_eq!(first.unrecognized["correlationId"], json!("c-1"));
    assert_eq!(first.unrecognized["error"], Value::Null);
    assert_eq!(second.status, Some(Status::Unknown("PENDING_ACTIVATION".to_owned())));
    assert_eq!(flags(second), [Flag::UnknownField, Flag::UnknownStatus, Flag::Untimed]);
    assert_eq!(second.unrecognized["someFutureObject"], json!({"a": 1}));
}

#[test]
fn a_number_for_a_string_gets_back_the_zeros_it_lost() {
    let statement = said(json!({
        "tokenInfo": {"tokenExpiry": 921, "accountPanExpiry": "331", "tokenPanSuffix": 11, "tokenAssuranceLevel": "3"},
        "productConfig": {"foregroundColor": 0, "customerServicePhoneNumber": 5_555_550_100_u64, "isCoBranded": "TRUE"}
    }));
    assert_eq!(field(&statement, "tokenInfo.tokenExpiry"), Some(&json!("0921")));
    assert_eq!(field(&statement, "tokenInfo.accountPanExpiry"), Some(&json!("0331")));
    assert_eq!(field(&statement, "tokenInfo.tokenPanSuffix"), Some(&json!("0011")));
    assert_eq!(field(&statement, "tokenInfo.tokenAssuranceLevel"), Some(&json!(3)));
    assert_eq!(
        field(&statement, "productConfig.foregroundColor"),
        Some(&json!("000000"))
    );
    assert_eq!(
        field(&statement, "productConfig.customerServicePhoneNumber"),
        Some(&json!("5555550100"))
    );
    assert_eq!(field(&statement, "productConfig.isCoBranded"), Some(&json!(true)));
    assert!(statement.flags.contains(&Flag::OddField));
}

#[test]
fn null_states_nothing_and_no_co_brand_clears_it() {
    let statement = said(json!({"productConfig": {
        "isCoBranded": "false", "coBrandName": "Example Air", "longDescription": null, "issuerMobileApp": {}
    }}));
    assert_eq!(statement.metadata["productConfig.coBrandName"], None);
    assert_eq!(statement.metadata["productConfig.coBrandLogoAssetId"], None);
    assert!(!statement.metadata.contains_key("productConfig.longDescription"));
    assert_eq!(field(&statement, "productConfig.issuerMobileApp"), Some(&json!({})));
}

#[test]
fn one_background_replaces_the_other_unless_both_are_given() {
    let one = said(json!({"productConfig": {"cardBackgroundAssetId": "a"}}));
    assert_eq!(one.metadata["productConfig.cardBackgroundCombinedAssetId"], None);
    let other = said(json!({"productConfig": {"cardBackgroundCombinedAssetId": "b", "cardBackgroundAssetId": null}}));
    assert_eq!(other.metadata["productConfig.cardBackgroundAssetId"], None);
    let both = said(json!({"productConfig": {"cardBackgroundCombinedAssetId": "b", "cardBackgroundAssetId": "a"}}));
    assert_eq!(field(&both, "productConfig.cardBackgroundAssetId"), Some(&json!("a")));
    assert_eq!(
        field(&both, "productConfig.cardBackgroundCombinedAssetId"),
        Some(&json!("b"))
    );
}

#[test]
fn a_card_number_shows_its_last_four_wherever_it_stands() {
    let number = "5204730000001201";
    let statement = said(json!({
        "status": number, "eventReasonCode": number, "suspendedBy": [number], "error": {"pan": number},
        "tokenRequestorId": number, number: 1,
        "tokenInfo": {"tokenNumber": number, "tokenPanSuffix": number, "accountPanPrefix": 5_204_730_000_001_201_u64,
            "tokenExpiry": number, "dsrpCapable": number, "tokenAssuranceLevel": number, "future": [number]},
        "productConfig": {"longDescription": format!("card {number}"), number: number}
    }));
    assert!(!format!("{statement:?}").contains("520473"), "{statement:?}");
    assert_eq!(field(&statement, "tokenInfo.tokenNumber"), Some(&json!("····1201")));
    assert!(statement.flags.contains(&Flag::MaskedNumber));
}

#[test]
fn a_token_number_is_masked_whatever_its_type_and_is_no_oddity_by_itself() {
    let plain =
        said(json!({"statusTimestamp": "2026-11-07T00:00:00Z", "tokenInfo": {"tokenNumber": "5204730000001202"}}));
    assert_eq!(field(&plain, "tokenInfo.tokenNumber"), Some(&json!("····1202")));
    assert_eq!(flags(&plain), []);
    for odd in [
        json!(5_204_730_000_001_202_u64),
        json!({"n": "5204730000001202"}),
        json!(["5204730000001202"]),
    ] {
        let statement = said(json!({"tokenInfo": {"tokenNumber": odd}}));
        assert!(!format!("{statement:?}").contains("520473"), "{statement:?}");
        assert!(statement.flags.contains(&Flag::OddField));
    }
}

#[test]
fn references_phone_numbers_and_asset_ids_stay_as_they_came() {
    let number = "5204730000001201";
    let notification = told(&json!({"tokens": [{"tokenUniqueReference": number,
        "productConfig": {"customerServicePhoneNumber": number, "brandLogoAssetId": number}}]}))
    .expect("it can be read");
    let statement = &notification.statements[0];
    assert_eq!(statement.token.reference, number);
    assert_eq!(
        field(statement, "productConfig.customerServicePhoneNumber"),
        Some(&json!(number))
    );
    assert_eq!(field(statement, "productConfig.brandLogoAssetId"), Some(&json!(number)));
}

#[test]
fn one_bad_token_does_not_lose_the_others() {
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let bad = [
        json!({"status": "ACTIVE"}),
        json!({"tokenUniqueReference": null}),
        json!({"tokenUniqueReference": " "}),
        json!({"tokenUniqueReference": "x".repeat(129)}),
        json!({"tokenUniqueReference": {"a": 1}}),
        json!("DM4MMC1"),
        json!({"tokenUniqueReference": "DM4MMC1", "status": "ACT\u{0}IVE"}),
        json!({"tokenUniqueReference": "DM4MMC1", "x": [{"a\u{0}": 1}]}),
        json!({"tokenUniqueReference": "DM4MMC1", "status": ["SUSPENDED"]}),
        json!({"tokenUniqueReference": "DM4MMC1", "suspendedBy": [["ISSUER"]]}),
        json!({"tokenUniqueReference": "DM4MMC1", "suspendedBy": vec!["ISSUER"; 65]}),
        json!({"tokenUniqueReference": "DM4MMC1", "x": "y".repeat(5_000)}),
        json!({"tokenUniqueReference": "DM4MMC1", "x": vec!["y".repeat(4_000); 20]}),
        json!({"tokenUniqueReference": "DM4MMC1", "x": deep}),
    ];
    for bad in bad {
        let good = json!({"tokenUniqueReference": 123_456, "status": "ACTIVE"});
        let notification = told(&json!({"tokens": [bad, good]})).expect("the other can be read");
        assert_eq!(notification.statements.len(), 1, "{bad}");
        assert_eq!(notification.statements[0].token.reference, "123456");
        assert_eq!(notification.statements[0].index, 1);
        assert_eq!(notification.unreadable[0].index, 0);

        let refused = told(&json!({"tokens": [bad]})).expect_err("nothing can be read");
        assert!(
            refused.detail.contains(&notification.unreadable[0].reason),
            "{}",
            refused.detail
        );
        assert_eq!(refused.keys_tried, None);
    }
}

#[test]
fn without_tokens_there_is_nothing_to_take_in() {
    let refusal = |content: Value| told(&content).expect_err("no tokens").reason;
    assert_eq!(refusal(json!({})), Reason::Missing(Field::Tokens));
    assert_eq!(refusal(json!({"tokens": null})), Reason::Missing(Field::Tokens));
    assert_eq!(refusal(json!({"tokens": []})), Reason::Length(Field::Tokens));
    assert_eq!(refusal(json!({"tokens": {}})), Reason::Format(Field::Tokens));
    assert_eq!(
        refusal(json!({"tokens": vec![1; 1_001]})),
        Reason::Length(Field::Tokens)
    );
    let nameless = json!({"tokens": [{"status": "ACTIVE"}]});
    assert_eq!(refusal(nameless), Reason::Missing(Field::TokenUniqueReference));
}

#[test]
fn a_content_past_its_time_is_applied_and_flagged_or_refused_by_choice() {
    let ring = ring();
    let content =
        |until: &str| json!({"tokens": [{"tokenUniqueReference": "DM4MMC1"}], "dataValidUntilTimestamp": until});
    let mut strict = RULES;
    strict.envelope.refuse_expired = true;

    let past = content("2026-11-02T09:15:03Z");
    let told = told_by(&past, &ring, &RULES).expect("applied");
    assert!(told.flags.contains(&Flag::Expired));
    let refused = told_by(&past, &ring, &strict).expect_err("refused");
    assert_eq!(refused.reason, Reason::Value(Field::DataValidUntilTimestamp));
    let in_time = told_by(&content("2026-11-02T09:15:04Z"), &ring, &strict).expect("in time");
    assert!(!in_time.flags.contains(&Flag::Expired));
    let odd = told_by(&content("soon"), &ring, &strict).expect("unreadable");
    assert!(odd.flags.contains(&Flag::OddField));
}

#[test]
fn a_request_id_is_kept_as_it_reads_or_missed_without_harm() {
    let ring = ring();
    let read = |request_id: Value| {
        let body = json!({"requestId": request_id, "tokens": [{"tokenUniqueReference": "DM4MMC1"}]});
        mdes::read(body.to_string().as_bytes(), &ring, &RULES, NOW).map(|read| read.notification)
    };
    assert_eq!(
        read(json!(123_456)).expect("a number").request_id.as_deref(),
        Some("123456")
    );
    for missing in [Value::Null, json!(""), json!("a\u{0}b"), json!({"a": 1})] {
        let notification = read(missing).expect("no reason to refuse");
        assert_eq!(notification.request_id, None);
        assert!(notification.flags.contains(&Flag::MissingRequestId));
    }
    let long = read(json!("x".repeat(257))).expect_err("too long");
    assert_eq!(long.reason, Reason::Length(Field::RequestId));
}

#[test]
fn the_content_hash_knows_neither_site_nor_order_nor_request() {
    let ring = ring();
    let hash = |body: &str| {
        mdes::read(body.as_bytes(), &ring, &RULES, NOW)
            .expect(body)
            .notification
            .content
    };
    let one =
        hash(r#"{"responseHost":"site1","requestId":"1","tokens":[{"tokenUniqueReference":"A","status":"ACTIVE"}]}"#);
    let other =
        hash(r#"{"tokens": [{"status":"ACTIVE", "tokenUniqueReference":"A"}], "requestId":2, "responseHost":"site2"}"#);
    assert_eq!(one, other);
    let different = hash(r#"{"tokens":[{"tokenUniqueReference":"A","status":"INACTIVE"}]}"#);
    assert_ne!(one, different);
}

#[test]
fn a_statement_has_the_same_hash_in_any_company() {
    let ring = ring();
    let token = json!({"tokenUniqueReference": "A", "status": "ACTIVE"});
    let alone = told_by(&json!({"tokens": [token]}), &ring, &RULES).expect("read");
    let second = told_by(
        &json!({"tokens": [{"tokenUniqueReference": "B"}, token]}),
        &ring,
        &RULES,
    )
    .expect("read");
    assert_eq!(alone.statements[0].hash, second.statements[1].hash);
    let under_another_key = told_by(&json!({"tokens": [token]}), &fixture().ring(&[3072]), &RULES).expect("read");
    assert_ne!(alone.statements[0].hash, under_another_key.statements[0].hash);
}

#[test]
fn one_token_of_a_resting_body_can_be_read_again() {
    let ring = ring();
    let content = json!({"tokens": [{"status": "ACTIVE"}, {"tokenUniqueReference": "A"}]}).to_string();
    let sealed = mdes::seal(content.as_bytes(), ring.newest());
    let (statement, key) = mdes::read_token(&sealed, false, 1, &ring, &RULES, NOW).expect("the second");
    assert_eq!(statement.token.reference, "A");
    assert_eq!(key, ring.newest().spki_sha256());
    let first = mdes::read_token(&sealed, false, 0, &ring, &RULES, NOW).expect_err("still nameless");
    assert_eq!(first.reason, Reason::Missing(Field::TokenUniqueReference));
    assert!(mdes::read_token(&sealed, false, 2, &ring, &RULES, NOW).is_err());

    let came_plain = mdes::read(content.as_bytes(), &ring, &RULES, NOW).expect("read");
    let (again, _) = mdes::read_token(&came_plain.resting.body, true, 1, &ring, &RULES, NOW).expect("the second");
    assert_eq!(again, came_plain.notification.statements[0]);
}
