//! A token and the card behind it, as Mastercard knows them: made-up numbers that pass the check they must pass.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::dice::Dice;

/// The first digits of a Mastercard test range.
const PREFIX: &str = "520473";
const CARD_NUMBER_DIGITS: usize = 16;

/// A token as its side of the street knows it. No `Debug`: it holds a number.
#[derive(Clone)]
pub struct Token {
    /// `tokenUniqueReference`.
    pub reference: String,
    /// `tokenRequestorId`.
    pub requestor: String,
    /// `tokenNumber`.
    pub number: String,
    /// `tokenExpiry`, MMYY.
    pub number_expiry: String,
    /// `accountPanSuffix`.
    pub account_suffix: String,
    /// `accountPanExpiry`, MMYY.
    pub account_expiry: String,
    /// `status`.
    pub status: &'static str,
    /// When the status last changed, and how that was written.
    pub status_at: Option<(OffsetDateTime, String)>,
}

impl Token {
    /// A token that nothing was said about yet.
    pub fn fresh(dice: &mut Dice, now: OffsetDateTime) -> Self {
        Token {
            reference: format!("DM4MMC0000000001{}", dice.hex32()),
            requestor: "50100000001".to_owned(),
            number: card_number(dice),
            number_expiry: expiry(dice, now, 3),
            account_suffix: dice.digits(4),
            account_expiry: expiry(dice, now, 2),
            status: "INACTIVE",
            status_at: None,
        }
    }

    /// The beginning of a statement about it.
    pub fn says(&self, status: &str) -> Value {
        json!({
            "tokenUniqueReference": self.reference,
            "tokenRequestorId": self.requestor,
            "status": status,
        })
    }

    /// `tokenInfo` as it is now, without the number: that comes only when it changed.
    pub fn info(&self) -> Value {
        json!({
            "tokenPanSuffix": self.number[self.number.len() - 4..],
            "accountPanPrefix": PREFIX,
            "accountPanSuffix": self.account_suffix,
            "tokenExpiry": self.number_expiry,
            "accountPanExpiry": self.account_expiry,
            "dsrpCapable": true,
            "tokenAssuranceLevel": 3,
            "productCategory": "CREDIT",
        })
    }
}

/// Sixteen digits that pass the Luhn check.
pub fn card_number(dice: &mut Dice) -> String {
    let mut digits = format!("{PREFIX}{}", dice.digits(CARD_NUMBER_DIGITS - PREFIX.len() - 1));
    digits.push(luhn_digit(&digits));
    digits
}

/// The digit that makes these digits pass the Luhn check when it is put behind them.
fn luhn_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let d = u32::from(digit - b'0');
            if place % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d }
        })
        .sum();
    char::from_digit((10 - sum % 10) % 10, 10).expect("a remainder of ten is one digit")
}

/// MMYY, some month of the year that is `years` from now.
pub fn expiry(dice: &mut Dice, now: OffsetDateTime, years: i32) -> String {
    format!("{:02}{:02}", dice.below(12) + 1, (now.year() + years).rem_euclid(100))
}

/// `productConfig` with new art: an asset never changes under its id, so new art has new ids.
pub fn product_config(dice: &mut Dice) -> Value {
    json!({
        "brandLogoAssetId": "800200c9-629d-11e3-949a-0739d27e5a66",
        "issuerLogoAssetId": dice.uuid(),
        "isCoBranded": "true",
        "coBrandName": "Example Air",
        "coBrandLogoAssetId": dice.uuid(),
        "cardBackgroundCombinedAssetId": dice.uuid(),
        "iconAssetId": dice.uuid(),
        "foregroundColor": "C00F00",
        "issuerName": "Example Bank",
        "shortDescription": "Example Bank Gold",
        "longDescription": null,
        "customerServicePhoneNumber": "555-555-0100",
        "issuerMobileApp": {},
        "termsAndConditionsUrl": "https://bank.example/terms",
        "privacyPolicyUrl": "https://bank.example/privacy",
        "issuerProductConfigCode": "GOLD",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_the_one_on_known_test_cards() {
        for known in ["5555555555554444", "5105105105105100", "2223003122003222"] {
            assert_eq!(luhn_digit(&known[..15]), known.chars().last().expect("sixteen digits"));
        }
    }

    #[test]
    fn a_made_up_number_is_one_that_masking_would_find() {
        let mut dice = Dice::seeded(1);
        for _ in 0..100 {
            let number = card_number(&mut dice);
            assert_eq!(number.len(), CARD_NUMBER_DIGITS);
            assert_ne!(crate::domain::masked::without_numbers(&number), number);
        }
    }
}
