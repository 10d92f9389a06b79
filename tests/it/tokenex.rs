//! TokenEx: asked by us, and played by us to who was written for it. Loopback only.

mod client;
mod contract;
mod desk;
mod kept;
mod reload;

use mdes_receiver::domain::command::Target;

/// The seed's token: it looks like a card number, and may stand nowhere in clear.
pub const TOKEN: &str = "4761202544127718";
pub const REFERENCE_ID: &str = "749f4d0d-4005-443e-9a66-0ea2d317b8f6";

/// The seed's answer to a suspend.
pub const SUSPENDED: &str = r#"{
"networkResponse": {
"tokenReferenceId": "749f4d0d-4005-443e-9a66-0ea2d317b8f6",
"lifecycleManagementAction": "SUSPEND_TOKEN",
"messageId": "0c859b3b-6414-4e3a-b11b-db481c1107c2",
"conversationId": "b5a9390f-c232-4ab0-9808-a68168472dec",
"statusCode": "0000",
"statusMessage": null
},
"referenceNumber": "21082510103957444322",
"success": true,
"error": "",
"message": "Network Token LifecycleManagement update successful!"
}"#;

pub fn target() -> Target {
    Target {
        token: TOKEN.to_owned(),
        reference_id: None,
    }
}
