//! The header in which a balancer forwards a client certificate.

use mdes_receiver::config::settings::ForwardedForm;
use mdes_receiver::net::forwarded;

/// The first byte chooses the form. A chain that is read is bounded, and no longer than the header; what is in it, the
/// rules judge, as they do in a handshake.
pub fn enter(data: &[u8]) {
    let Some((form, value)) = data.split_first() else {
        return;
    };
    let form = match form % 3 {
        0 => ForwardedForm::Envoy,
        1 => ForwardedForm::Aws,
        _ => ForwardedForm::Nginx,
    };
    if let Some((leaf, above)) = forwarded::chain(form, value) {
        assert!(above.len() < 8, "a chain is bounded");
        let bytes: usize = above.iter().chain([&leaf]).map(|certificate| certificate.len()).sum();
        assert!(bytes < value.len(), "DER is shorter than its PEM");
    }
}
