//! The pairing token, both ends.

/// The secret that a frontend and its backend share.
#[derive(Clone)]
pub struct PairingToken {}

impl std::fmt::Debug for PairingToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingToken(..)")
    }
}
