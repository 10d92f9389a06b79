//! TokenEx's `requestReasonCode`s, and who they say has suspended the token.

/// The 28 that are documented; the list is open.
const REASONS: [&str; 28] = [
    "ACTIVATED_BY_CUSTOMER_SERVICE",
    "ACTIVATED_BY_COBADGED_TOKEN",
    "ACTIVATED_BY_ISSUER",
    "ACTIVATED_BY_ISSUER_APP",
    "ACTIVATED_BY_USER_REQUEST",
    "SUSPENDED_BY_ISSUER",
    "SUSPENDED_DUE_TO_FRAUD",
    "SUSPENDED_BY_USER_REQUEST",
    "SUSPENDED_BY_CUSTOMER_SERVICE",
    "SUSPENDED_BY_TR",
    "SUSPENDED_BY_TR_DUE_TO_FRAUD",
    "RESUMED_BY_ISSUER",
    "RESUMED_BY_USER_REQUEST",
    "RESUMED_BY_CUSTOMER_SERVICE",
    "RESUMED_BY_TR",
    "RPAN_UPDATE",
    "DELETED_FOR_SECURITY",
    "DELETED_BY_CUSTOMER_SERVICE",
    "DELETED_BY_ISSUER",
    "DELETED_DUE_TO_FRAUD",
    "DELETED_BY_USER_REQUEST",
    "DELETED_DUE_TO_TOKEN_PROBLEM",
    "DELETED_BY_TIME_LIMIT",
    "DELETED_BY_TR",
    "DELETED_BY_TR_DUE_TO_FRAUD",
    "DELETED_DUE_TO_ERROR",
    "STATE_CHANGED_ON_DEVICE",
    "UNKNOWN_REASON_CODE",
];

/// It is documented.
pub(super) fn is_reason(code: &str) -> bool {
    REASONS.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// MDES's word for who holds a token suspended, where the code says it; that it was for fraud, or by customer service,
/// does not say who.
pub(super) fn suspender(code: &str) -> Option<&'static str> {
    match code.to_ascii_uppercase().as_str() {
        "SUSPENDED_BY_ISSUER" => Some("ISSUER"),
        "SUSPENDED_BY_TR" | "SUSPENDED_BY_TR_DUE_TO_FRAUD" => Some("TOKEN_REQUESTOR"),
        "SUSPENDED_BY_USER_REQUEST" => Some("CARDHOLDER"),
        _ => None,
    }
}
