//! Setting and removing SCRAM credentials (ScramControlManager.java). Clients send the salted password; what is kept of
//! it cannot be used to log in.

use std::collections::BTreeMap;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use protocol::ErrorCode;
use protocol::messages::AlterUserScramCredentialsRequest;
use protocol::messages::alter_user_scram_credentials::ScramCredentialUpsertion;
use sha2::{Digest, Sha256, Sha512};

use crate::metadata::decide::ApiError;
use crate::metadata::image::MetadataImage;
use crate::metadata::record::MetadataRecord;
use crate::metadata::scram::{ScramCredential, ScramMechanism};

const ITERATIONS_MIN: i32 = 4096;
const ITERATIONS_MAX: i32 = 16384;

/// Decides on an AlterUserScramCredentials request: what becomes of each user it names.
pub fn alter_user_scram_credentials(
    image: &MetadataImage,
    request: &AlterUserScramCredentialsRequest,
) -> (Vec<MetadataRecord>, BTreeMap<String, Result<(), ApiError>>) {
    let deletions = request.deletions.iter().map(|deletion| (&deletion.name, delete(image, deletion)));
    let upsertions = request.upsertions.iter().map(|upsertion| (&upsertion.name, upsert(upsertion)));
    let mut by_user: BTreeMap<String, Result<MetadataRecord, ApiError>> = BTreeMap::new();
    for (user, decided) in deletions.chain(upsertions) {
        match by_user.get(user) {
            // The first error stays.
            Some(Err(_)) => {}
            Some(Ok(_)) => {
                let message = "A user credential cannot be altered twice in the same request";
                by_user.insert(user.clone(), Err(ApiError::new(ErrorCode::DUPLICATE_RESOURCE, message)));
            }
            None => drop(by_user.insert(user.clone(), decided)),
        }
    }
    let mut records = Vec::new();
    let results = by_user.into_iter().map(|(user, decided)| (user, decided.map(|record| records.push(record))));
    let results = results.collect();
    (records, results)
}

fn delete(
    image: &MetadataImage,
    deletion: &protocol::messages::alter_user_scram_credentials::ScramCredentialDeletion,
) -> Result<MetadataRecord, ApiError> {
    let mechanism = check(&deletion.name, deletion.mechanism)?;
    let user = deletion.name.clone();
    if !image.scram_credentials.contains_key(&(user.clone(), mechanism)) {
        let message = "Attempt to delete a user credential that does not exist";
        return Err(ApiError::new(ErrorCode::RESOURCE_NOT_FOUND, message));
    }
    Ok(MetadataRecord::ScramCredentialChanged { user, mechanism, credential: None })
}

fn upsert(upsertion: &ScramCredentialUpsertion) -> Result<MetadataRecord, ApiError> {
    let mechanism = check(&upsertion.name, upsertion.mechanism)?;
    let unacceptable = |message: &str| Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message));
    match upsertion.iterations {
        ..ITERATIONS_MIN => return unacceptable("Too few iterations"),
        ITERATIONS_MIN..=ITERATIONS_MAX => {}
        _ => return unacceptable("Too many iterations"),
    }
    let salted = &upsertion.salted_password;
    let (stored_key, server_key) = match mechanism {
        ScramMechanism::Sha256 => (sha_256(&hmac_256(salted, b"Client Key")), hmac_256(salted, b"Server Key")),
        ScramMechanism::Sha512 => (sha_512(&hmac_512(salted, b"Client Key")), hmac_512(salted, b"Server Key")),
    };
    let credential = Some(ScramCredential {
        iterations: upsertion.iterations,
        salt: upsertion.salt.clone(),
        stored_key: stored_key.into(),
        server_key: server_key.into(),
    });
    Ok(MetadataRecord::ScramCredentialChanged { user: upsertion.name.clone(), mechanism, credential })
}

fn check(user: &str, mechanism: i8) -> Result<ScramMechanism, ApiError> {
    if user.is_empty() {
        return Err(ApiError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, "Username must not be empty"));
    }
    ScramMechanism::of(mechanism)
        .ok_or_else(|| ApiError::new(ErrorCode::UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"))
}

fn sha_256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn sha_512(bytes: &[u8]) -> Vec<u8> {
    Sha512::digest(bytes).to_vec()
}

fn hmac_256(key: &Bytes, text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hmac_512(key: &Bytes, text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use protocol::messages::alter_user_scram_credentials::ScramCredentialDeletion;

    use super::*;

    fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
        // SaltedPassword of the user "user" and the password "pencil" in RFC 7677, section 3.
        let salted = BASE64_STANDARD.decode("xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=").expect("base64");
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        ScramCredentialUpsertion {
            name: name.to_owned(),
            mechanism,
            iterations,
            salt: salt.into(),
            salted_password: salted.into(),
        }
    }

    fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
        ScramCredentialDeletion { name: name.to_owned(), mechanism }
    }

    #[test]
    fn what_is_kept_proves_a_password_as_rfc_7677_says() {
        let record = upsert(&upsertion("user", 1, 4096)).expect("acceptable");
        let MetadataRecord::ScramCredentialChanged { credential: Some(credential), .. } = record else {
            panic!("{record:?}")
        };
        assert_eq!(BASE64_STANDARD.encode(&credential.stored_key), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
        assert_eq!(BASE64_STANDARD.encode(&credential.server_key), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    }

    #[test]
    fn each_user_gets_one_answer() {
        let mut image = MetadataImage::default();
        image.apply(&upsert(&upsertion("there", 1, 4096)).expect("acceptable")).expect("fits");
        let check = |deletions: &[ScramCredentialDeletion],
                     upsertions: &[ScramCredentialUpsertion],
                     expected: &[(&str, ErrorCode)]| {
            let request =
                AlterUserScramCredentialsRequest { deletions: deletions.to_vec(), upsertions: upsertions.to_vec() };
            let (records, results) = alter_user_scram_credentials(&image, &request);
            let code =
                |result: &Result<(), ApiError>| result.as_ref().map_or_else(|error| error.code, |()| ErrorCode::NONE);
            let found: Vec<_> = results.iter().map(|(user, result)| (user.as_str(), code(result))).collect();
            assert_eq!(found, expected);
            assert_eq!(records.len(), expected.iter().filter(|(_, code)| !code.is_error()).count());
        };
        check(
            &[deletion("there", 1)],
            &[upsertion("new", 2, 16384)],
            &[("new", ErrorCode::NONE), ("there", ErrorCode::NONE)],
        );
        check(&[deletion("there", 2)], &[], &[("there", ErrorCode::RESOURCE_NOT_FOUND)]);
        check(&[deletion("there", 1)], &[upsertion("there", 1, 4096)], &[("there", ErrorCode::DUPLICATE_RESOURCE)]);
        check(&[deletion("", 1)], &[], &[("", ErrorCode::UNACCEPTABLE_CREDENTIAL)]);
        check(&[], &[upsertion("u", 3, 4096)], &[("u", ErrorCode::UNSUPPORTED_SASL_MECHANISM)]);
        check(&[], &[upsertion("u", 1, 4095)], &[("u", ErrorCode::UNACCEPTABLE_CREDENTIAL)]);
        check(&[], &[upsertion("u", 1, 16385)], &[("u", ErrorCode::UNACCEPTABLE_CREDENTIAL)]);
    }
}
