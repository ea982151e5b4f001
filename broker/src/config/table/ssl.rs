//! TLS.

use crate::config::definition::Check::{Any, Distinct, OneOf};
use crate::config::definition::{Config, boolean, class, list, password, string};
use crate::config::reasons::{JAVA_CLASS, NO_TLS};

pub(super) const CONFIGS: &[Config] = &[
    boolean(
        "ssl.allow.dn.changes",
        Some("false"),
        Any,
        "Whether a new certificate may have another distinguished name.",
    )
    .ignored(NO_TLS),
    boolean("ssl.allow.san.changes", Some("false"), Any, "Whether a new certificate may drop alternative names.")
        .ignored(NO_TLS),
    list("ssl.cipher.suites", Some(""), Distinct, "Cipher suites offered.").per_broker().ignored(NO_TLS),
    string(
        "ssl.client.auth",
        Some("none"),
        OneOf(&["required", "requested", "none"]),
        "Whether clients must show a certificate: none, requested, required.",
    )
    .per_broker()
    .ignored(NO_TLS),
    list("ssl.enabled.protocols", Some("TLSv1.2,TLSv1.3"), Distinct, "TLS versions offered.")
        .per_broker()
        .ignored(NO_TLS),
    string("ssl.endpoint.identification.algorithm", Some("https"), Any, "How a server's name is checked.")
        .per_broker()
        .ignored(NO_TLS),
    class("ssl.engine.factory.class", None, Any, "Class that makes TLS engines.").per_broker().ignored(JAVA_CLASS),
    password("ssl.key.password", None, Any, "Password of the private key.").per_broker().ignored(NO_TLS),
    string("ssl.keymanager.algorithm", Some("SunX509"), Any, "Algorithm of the key manager.")
        .per_broker()
        .ignored(NO_TLS),
    password("ssl.keystore.certificate.chain", None, Any, "Certificate chain in PEM.").per_broker().ignored(NO_TLS),
    password("ssl.keystore.key", None, Any, "Private key in PEM.").per_broker().ignored(NO_TLS),
    string("ssl.keystore.location", None, Any, "File of the key store.").per_broker().ignored(NO_TLS),
    password("ssl.keystore.password", None, Any, "Password of the key store.").per_broker().ignored(NO_TLS),
    string("ssl.keystore.type", Some("JKS"), Any, "Format of the key store.").per_broker().ignored(NO_TLS),
    string("ssl.principal.mapping.rules", Some("DEFAULT"), Any, "Rules from certificate names to users.")
        .ignored(NO_TLS),
    string("ssl.protocol", Some("TLSv1.3"), Any, "TLS version of the context.").per_broker().ignored(NO_TLS),
    string("ssl.provider", None, Any, "Security provider.").per_broker().ignored(NO_TLS),
    string("ssl.secure.random.implementation", None, Any, "Random number generator.").per_broker().ignored(NO_TLS),
    string("ssl.trustmanager.algorithm", Some("PKIX"), Any, "Algorithm of the trust manager.")
        .per_broker()
        .ignored(NO_TLS),
    password("ssl.truststore.certificates", None, Any, "Trusted certificates in PEM.").per_broker().ignored(NO_TLS),
    string("ssl.truststore.location", None, Any, "File of the trust store.").per_broker().ignored(NO_TLS),
    password("ssl.truststore.password", None, Any, "Password of the trust store.").per_broker().ignored(NO_TLS),
    string("ssl.truststore.type", Some("JKS"), Any, "Format of the trust store.").per_broker().ignored(NO_TLS),
];
