//! Who may ask: only the holder of a token that was neither revoked nor has expired.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::store::Roster as _;
use mdes_receiver::store::roster::{NewOperator, Operator, Role};
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    the_holder_of_a_token_is_known_by_its_hash,
    a_name_is_taken_for_ever,
    a_revoked_token_opens_nothing_from_then_on,
    a_token_ends_at_its_time,
    a_token_has_one_holder,
);

fn new(name: &str, role: Role, token: u8) -> NewOperator {
    NewOperator {
        name: name.to_owned(),
        role,
        token_hash: [token; 32],
        expires_at: noon() + Duration::days(90),
    }
}

async fn the_holder_of_a_token_is_known_by_its_hash(database: Database) {
    let roster = database.memory(Arc::new(ManualClock::at(noon()))).await;
    for operator in [new("b", Role::Viewer, 1), new("a", Role::Operator, 2)] {
        assert!(roster.add_operator(&operator).await.expect("the store answers"));
    }
    let holder = roster.operator_of(&[2; 32]).await.expect("the store answers");
    let expected = Operator {
        name: "a".to_owned(),
        role: Role::Operator,
        created_at: noon(),
        expires_at: noon() + Duration::days(90),
        revoked_at: None,
    };
    assert_eq!(holder, Some(expected));
    assert_eq!(roster.operator_of(&[3; 32]).await.expect("the store answers"), None);
    let all = roster.operators().await.expect("the store answers");
    let names: Vec<_> = all
        .iter()
        .map(|operator| (operator.name.as_str(), operator.role))
        .collect();
    assert_eq!(names, [("a", Role::Operator), ("b", Role::Viewer)]);
}

async fn a_name_is_taken_for_ever(database: Database) {
    let roster = database.memory(Arc::new(ManualClock::at(noon()))).await;
    assert!(
        roster
            .add_operator(&new("a", Role::Viewer, 1))
            .await
            .expect("the store answers")
    );
    assert!(roster.revoke_operator("a").await.expect("the store answers"));
    assert!(
        !roster
            .add_operator(&new("a", Role::Operator, 2))
            .await
            .expect("the store answers")
    );
    assert_eq!(roster.operator_of(&[2; 32]).await.expect("the store answers"), None);
}

async fn a_revoked_token_opens_nothing_from_then_on(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let roster = database.memory(Arc::clone(&clock)).await;
    assert!(!roster.revoke_operator("a").await.expect("the store answers"));
    assert!(
        roster
            .add_operator(&new("a", Role::Viewer, 1))
            .await
            .expect("the store answers")
    );
    clock.advance(Duration::hours(1));
    assert!(roster.revoke_operator("a").await.expect("the store answers"));
    assert_eq!(roster.operator_of(&[1; 32]).await.expect("the store answers"), None);
    clock.advance(Duration::hours(1));
    assert!(!roster.revoke_operator("a").await.expect("the store answers"));
    let all = roster.operators().await.expect("the store answers");
    assert_eq!(all[0].revoked_at, Some(noon() + Duration::hours(1)));
}

async fn a_token_ends_at_its_time(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let roster = database.memory(Arc::clone(&clock)).await;
    assert!(
        roster
            .add_operator(&new("a", Role::Viewer, 1))
            .await
            .expect("the store answers")
    );
    clock.advance(Duration::days(90) - Duration::microseconds(1));
    assert!(roster.operator_of(&[1; 32]).await.expect("the store answers").is_some());
    clock.advance(Duration::microseconds(1));
    assert_eq!(roster.operator_of(&[1; 32]).await.expect("the store answers"), None);
}

async fn a_token_has_one_holder(database: Database) {
    let roster = database.memory(Arc::new(ManualClock::at(noon()))).await;
    assert!(
        roster
            .add_operator(&new("a", Role::Viewer, 1))
            .await
            .expect("the store answers")
    );
    let refused = roster.add_operator(&new("b", Role::Operator, 1)).await;
    assert!(refused.is_err(), "{refused:?}");
    let holder = roster.operator_of(&[1; 32]).await.expect("the store answers");
    assert_eq!(holder.map(|operator| operator.name).as_deref(), Some("a"));
}
