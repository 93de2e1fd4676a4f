//! Standard Webhooks signatures, version 1 (symmetric): HMAC-SHA256 over `id.timestamp.body`, in base64, one
//! `v1,…` per live secret with a space between. Specification: standard-webhooks 1.0.0.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::Timestamp;
use crate::store::Secret;

/// How far a receiver lets a timestamp be off, either way, in seconds.
pub const TOLERANCE_S: i64 = 300;

/// Why a message is not genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The timestamp is not a number of seconds, or too far off.
    #[error("the timestamp is too old, too new or none")]
    Timestamp,
    /// No signature matches.
    #[error("no signature matches")]
    Signature,
}

/// The `webhook-timestamp` of a moment.
#[must_use]
pub fn timestamp(now: Timestamp) -> i64 {
    now.0.div_euclid(1_000_000_000)
}

/// The `webhook-signature` of a message: one signature per secret, newest secret first.
#[must_use]
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut header = String::new();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        header.push_str(&STANDARD.encode(tag(secret, id, timestamp, body)));
    }
    header
}

/// Checks a message as a receiver does: the time first, then any signature against any secret.
///
/// # Errors
/// [`Refused`].
pub fn verify(
    secrets: &[Secret],
    (id, timestamp, signature): (&str, &str, &str),
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refused> {
    let sent: i64 = timestamp.parse().map_err(|_error| Refused::Timestamp)?;
    if self::timestamp(now).saturating_sub(sent).saturating_abs() > TOLERANCE_S {
        return Err(Refused::Timestamp);
    }
    let given = signature
        .split(' ')
        .filter_map(|part| part.strip_prefix("v1,"));
    let given: Vec<Vec<u8>> = given
        .filter_map(|text| STANDARD.decode(text).ok())
        .collect();
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
        let message = message(id, sent, body);
        if given
            .iter()
            .any(|tag| hmac::verify(&key, &message, tag).is_ok())
        {
            return Ok(());
        }
    }
    Err(Refused::Signature)
}

fn tag(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
    hmac::sign(&key, &message(id, timestamp, body))
        .as_ref()
        .to_vec()
}

fn message(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{id}.{timestamp}.").into_bytes();
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret(text: &str) -> Secret {
        Secret::parse(text).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn published_vectors_hold() {
        let first = sign(&[secret(OURS)], ID, SENT, BODY);
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let other = secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let second = sign(
            &[other],
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            body,
        );
        assert_eq!(second, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn each_of_two_live_secrets_verifies_alone() {
        let old = secret(OURS);
        let new = secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let header = sign(&[new.clone(), old.clone()], ID, SENT, BODY);
        assert_eq!(header.split(' ').count(), 2);
        let parts = (ID, "1614265330", header.as_str());
        for one in [old, new] {
            assert_eq!(verify(&[one], parts, BODY, at(SENT)), Ok(()));
        }
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let keys = [secret(OURS)];
        let good = sign(&keys, ID, SENT, BODY);
        let sent = SENT.to_string();
        let check = |id: &str, sent: &str, header: &str, body: &[u8], now: i64| {
            verify(&keys, (id, sent, header), body, at(now))
        };
        assert_eq!(check(ID, &sent, &good, BODY, SENT + 300), Ok(()));
        assert_eq!(check(ID, &sent, &good, BODY, SENT - 300), Ok(()));
        assert_eq!(
            check(ID, &sent, &good, BODY, SENT + 301),
            Err(Refused::Timestamp)
        );
        assert_eq!(
            check(ID, &sent, &good, BODY, SENT - 301),
            Err(Refused::Timestamp)
        );
        assert_eq!(
            check(ID, "infinity", &good, BODY, SENT),
            Err(Refused::Timestamp)
        );
        assert_eq!(check(ID, "", &good, BODY, SENT), Err(Refused::Timestamp));
        assert_eq!(
            check("msg_x", &sent, &good, BODY, SENT),
            Err(Refused::Signature)
        );
        assert_eq!(
            check(ID, &sent, &good, b"{}", SENT),
            Err(Refused::Signature)
        );
        let later = (SENT + 1).to_string();
        assert_eq!(
            check(ID, &later, &good, BODY, SENT),
            Err(Refused::Signature)
        );
        for header in [
            "",
            "v1,",
            "v1",
            "v1a,AAAA",
            good.trim_start_matches("v1,"),
            &good.replace("v1", "v2"),
        ] {
            assert_eq!(
                check(ID, &sent, header, BODY, SENT),
                Err(Refused::Signature),
                "{header}"
            );
        }
        assert_eq!(
            check(ID, &sent, &format!("v1,AAAA {good}"), BODY, SENT),
            Ok(())
        );
    }
}
