//! The error tables of both services, row by row, and the names of their calls.

/// TokenEx's own codes (the first layer) that can plausibly reach these methods, with their messages.
pub const TOKENEX: &[(u16, &str)] = &[
    (1000, "TokenExID cannot be empty"),
    (1001, "API Key cannot be empty"),
    (1003, "Authentication failed"),
    (1004, "Authentication failed"),
    (1006, "Authentication failed"),
    (1007, "Authentication failed"),
    (1008, "Authentication failed"),
    (1009, "Authentication failed"),
    (1010, "Authentication failed"),
    (1011, "Authentication failed"),
    (2003, "You must pass a token to this method"),
    (2004, "You must pass data to this method"),
    (2005, "You must pass a TokenScheme to this method"),
    (2404, "Invalid TokenExId"),
    (2407, "Invalid Token scheme"),
    (2423, "Invalid Token"),
    (2434, "Missing Header: tx-token-scheme"),
    (2435, "Missing Header: tx-apikey"),
    (2437, "Missing Header: tx-tokenex-id"),
    (2998, "Encountered model binding errors"),
    (2999, "Request is malformed"),
    (3000, "Token does not exist"),
    (3024, "No TokenReferenceId associated with token"),
    (4018, "Null parameter pass to method"),
    (5000, "Please contact TokenEx Support"),
    (5001, "Unable to perform this operation on vaultless tokens"),
    (9998, "Internal error, please contact support via the client portal"),
    (9999, "Internal error, please contact support via the client portal"),
];

/// The network's codes (the second layer), with what they mean.
pub const NETWORK: &[(&str, &str)] = &[
    ("9002", "PAN or associated data is invalid, or the issuer declined"),
    ("9004", "The server did not respond in time"),
    ("9005", "Unknown error"),
    ("9006", "The provided token cannot be found"),
    ("9100", "The PAN is not eligible"),
    ("9104", "The token is not currently in a valid state for this request"),
    ("9130", "The upstream server timed out"),
    ("9131", "The upstream server had an internal error"),
];

/// MDES's application errors, with their descriptions; those from here to there.
pub const MDES: &[(&str, &str)] = &[
    ("INVALID_JSON", "Invalid JSON"),
    ("UNRECOGNIZED_FIELD", "Unrecognized Field"),
    ("AUTHORIZATION_FAILED", "Authorization Failed"),
    ("INVALID_FIELD_FORMAT", "Invalid Field Format"),
    ("INVALID_FIELD_LENGTH", "Invalid Field Length"),
    ("INVALID_FIELD_VALUE", "Invalid Field Value"),
    ("INVALID_RESPONSE_HOST", "Invalid Response Host"),
    ("MISSING_REQUIRED_FIELD", "Missing Required Field"),
    ("CRYPTOGRAPHY_ERROR", "Cryptography Error"),
    ("INTERNAL_SERVICE_FAILURE", "Internal Service Failure"),
    ("INVALID_METHOD", "Invalid Method"),
    ("INVALID_TOKEN_UNIQUE_REFERENCE", "Invalid Token Unique Reference"),
    ("INVALID_TOKEN_STATUS", "Invalid Token Status"),
    ("DUPLICATE_REQUEST", "Duplicate Request"),
    ("NO_ACTIVE_TOKENS", "No Active Tokens"),
    ("INVALID_WORKFLOW", "Invalid Workflow"),
    ("INVALID_TASK_ID", "Invalid Task ID"),
    ("INVALID_PAN_UNIQUE_REFERENCE", "Invalid PAN Unique Reference"),
    ("TOKEN_PAN_NOT_FOUND", "Token PAN Not Found"),
    ("INVALID_DATA", "Invalid Data"),
];

/// What Mastercard's gateway says before MDES is reached.
pub const GATEWAY: &[(&str, &str)] = &[
    ("INVALID_BODY_HASH", "The body hash does not match the body"),
    ("AUTHENTICATION_FAILED", "Authentication failed"),
    ("INVALID_CLIENT_ID", "The client id is not known"),
];

const CALLS: &[&str] = &[
    "Tokenize",
    "GetStatus",
    "GetPaymentBundle",
    "GetCardMetadata",
    "GetAsset",
    "SUSPEND_TOKEN",
    "RESUME_TOKEN",
    "DELETE_TOKEN",
    "suspend",
    "unsuspend",
    "delete",
    "getToken",
    "searchTokens",
    "asset",
];

/// Whether a call of either service has that name.
pub fn is_call(name: &str) -> bool {
    CALLS.contains(&name)
}

/// Whether it stands in one of the tables.
pub fn is_code(code: &str) -> bool {
    is_tokenex_code(code) || words_of(MDES, code).is_some() || words_of(GATEWAY, code).is_some()
}

/// Whether it is of one of TokenEx's layers.
pub fn is_tokenex_code(code: &str) -> bool {
    code.len() == 4 && (message_of(code).is_some() || words_of(NETWORK, code).is_some())
}

/// The message of TokenEx's own code.
pub fn message_of(code: &str) -> Option<&'static str> {
    let code: u16 = code.parse().ok()?;
    TOKENEX
        .iter()
        .find(|(row, _)| *row == code)
        .map(|(_, message)| *message)
}

/// The words of a code in that table.
pub fn words_of(table: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    table.iter().find(|(row, _)| *row == code).map(|(_, words)| *words)
}
