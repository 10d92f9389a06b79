//! What stands in an envelope: `tokens[]`, read without a seal.

use mdes_receiver::config::settings::Payload;
use mdes_receiver::mdes::{self, Reading};

use super::masking::assert_masked;
use super::ring::{NOW, RING, RULES};

const PLAIN: Reading = Reading {
    payload: Payload::Plain,
    ..RULES
};

/// - Each statement, read again on its own from what rests, is the same statement.
/// - No card number is in what was read; a token's number comes out for who asks by name, and breaks nothing.
pub fn enter(data: &[u8]) {
    let Ok(read) = mdes::read(data, &RING, &PLAIN, NOW) else {
        return;
    };
    assert!(read.resting.by_us, "what came unsealed rests under our seal");
    let resting = &read.resting.body;
    // Opening it is what costs: two of them say as much as all.
    for statement in read.notification.statements.iter().take(2) {
        assert_masked(statement);
        let again = mdes::read_token(resting, true, statement.index, &RING, &RULES, NOW);
        let (again, _) = again.expect("what was read once is read again");
        assert_eq!(again.hash, statement.hash);
        assert_eq!(again.status, statement.status);
        let number = mdes::token_number(resting, true, statement.index, &RING, &RULES);
        assert!(number.is_ok(), "a body that was read opens for its number");
    }
}
