//! Authentication by SASL, delegation tokens, authorization.

use crate::config::definition::Check::{Any, AtLeast, Between, Distinct, OneOfIgnoringCase};
use crate::config::definition::{Config, boolean, class, double, int, list, long, password, short, string};
use crate::config::reasons::{JAVA_CLASS, NO_SASL};

pub(super) const CONFIGS: &[Config] = &[
    string("authorizer.class.name", Some(""), Any, "Class that decides who may do what.").ignored(JAVA_CLASS),
    class(
        "principal.builder.class",
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        Any,
        "Class that names the user of a connection.",
    )
    .per_broker()
    .ignored(JAVA_CLASS),
    password("delegation.token.secret.key", None, Any, "Secret that signs delegation tokens.").ignored(NO_SASL),
    long(
        "delegation.token.expiry.check.interval.ms",
        Some("3600000"),
        AtLeast(1),
        "How often expired tokens are looked for.",
    )
    .ignored(NO_SASL),
    long("delegation.token.expiry.time.ms", Some("86400000"), AtLeast(1), "How long a token is valid unless renewed.")
        .ignored(NO_SASL),
    long("delegation.token.max.lifetime.ms", Some("604800000"), AtLeast(1), "How long a token can be renewed.")
        .ignored(NO_SASL),
    long("connections.max.reauth.ms", Some("0"), Any, "How long an authenticated session lasts; 0 for ever.")
        .ignored(NO_SASL),
    list("sasl.enabled.mechanisms", Some("GSSAPI"), Distinct, "SASL mechanisms offered.").per_broker().ignored(NO_SASL),
    string("sasl.mechanism.inter.broker.protocol", Some("GSSAPI"), Any, "SASL mechanism between brokers.")
        .per_broker()
        .ignored(NO_SASL),
    string("sasl.mechanism.controller.protocol", Some("GSSAPI"), Any, "SASL mechanism towards controllers.")
        .ignored(NO_SASL),
    password("sasl.jaas.config", None, Any, "Login configuration in JAAS form.").per_broker().ignored(NO_SASL),
    int("sasl.server.max.receive.size", Some("524288"), Any, "Largest authentication request.").ignored(NO_SASL),
    class("sasl.client.callback.handler.class", None, Any, "Class that answers a SASL client's questions.")
        .ignored(JAVA_CLASS),
    class("sasl.server.callback.handler.class", None, Any, "Class that answers a SASL server's questions.")
        .ignored(JAVA_CLASS),
    class("sasl.login.callback.handler.class", None, Any, "Class that answers a login's questions.")
        .ignored(JAVA_CLASS),
    class("sasl.login.class", None, Any, "Class that logs in.").ignored(JAVA_CLASS),
    int("sasl.login.connect.timeout.ms", None, Any, "Connect timeout of a login at an outside provider.")
        .ignored(NO_SASL),
    int("sasl.login.read.timeout.ms", None, Any, "Read timeout of a login at an outside provider.").ignored(NO_SASL),
    short("sasl.login.refresh.buffer.seconds", Some("300"), Any, "Time kept before expiry when a login is renewed.")
        .per_broker()
        .ignored(NO_SASL),
    short("sasl.login.refresh.min.period.seconds", Some("60"), Any, "Shortest time between two renewals.")
        .per_broker()
        .ignored(NO_SASL),
    double("sasl.login.refresh.window.factor", Some("0.8"), Any, "Share of a login's life after which it is renewed.")
        .per_broker()
        .ignored(NO_SASL),
    double("sasl.login.refresh.window.jitter", Some("0.05"), Any, "Random part of that time.")
        .per_broker()
        .ignored(NO_SASL),
    long("sasl.login.retry.backoff.ms", Some("100"), Any, "Pause before a login is tried again.").ignored(NO_SASL),
    long("sasl.login.retry.backoff.max.ms", Some("10000"), Any, "Upper bound of that pause.").ignored(NO_SASL),
    string("sasl.kerberos.service.name", None, Any, "Kerberos name of the service.").per_broker().ignored(NO_SASL),
    string("sasl.kerberos.kinit.cmd", Some("/usr/bin/kinit"), Any, "Path of kinit.").per_broker().ignored(NO_SASL),
    long("sasl.kerberos.min.time.before.relogin", Some("60000"), Any, "Shortest time between two Kerberos logins.")
        .per_broker()
        .ignored(NO_SASL),
    list(
        "sasl.kerberos.principal.to.local.rules",
        Some("DEFAULT"),
        Distinct,
        "Rules from Kerberos principals to short names.",
    )
    .per_broker()
    .ignored(NO_SASL),
    double("sasl.kerberos.ticket.renew.jitter", Some("0.05"), Any, "Random part of the renewal time.")
        .per_broker()
        .ignored(NO_SASL),
    double(
        "sasl.kerberos.ticket.renew.window.factor",
        Some("0.8"),
        Any,
        "Share of a ticket's life after which it is renewed.",
    )
    .per_broker()
    .ignored(NO_SASL),
    boolean(
        "sasl.oauthbearer.allow.unverified.audience",
        Some("false"),
        Any,
        "Whether tokens are accepted without a check of their audience.",
    )
    .ignored(NO_SASL),
    boolean(
        "sasl.oauthbearer.allow.unverified.issuer",
        Some("false"),
        Any,
        "Whether tokens are accepted without a check of their issuer.",
    )
    .ignored(NO_SASL),
    string(
        "sasl.oauthbearer.assertion.algorithm",
        Some("RS256"),
        OneOfIgnoringCase(&["ES256", "RS256"]),
        "Algorithm that signs an assertion.",
    )
    .ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.claim.aud", None, Any, "Audience claim of an assertion.").ignored(NO_SASL),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", Some("300"), Between(0, 86400), "Life of an assertion.")
        .ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.claim.iss", None, Any, "Issuer claim of an assertion.").ignored(NO_SASL),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", Some("false"), Any, "Whether an assertion carries an id.")
        .ignored(NO_SASL),
    int(
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        Some("60"),
        Between(0, 3600),
        "How far in the past an assertion becomes valid.",
    )
    .ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.claim.sub", None, Any, "Subject claim of an assertion.").ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.file", None, Any, "File with a ready assertion.").ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.private.key.file", None, Any, "File with the key that signs assertions.")
        .ignored(NO_SASL),
    password("sasl.oauthbearer.assertion.private.key.passphrase", None, Any, "Passphrase of that key.")
        .ignored(NO_SASL),
    string("sasl.oauthbearer.assertion.template.file", None, Any, "File with the fixed parts of an assertion.")
        .ignored(NO_SASL),
    string("sasl.oauthbearer.client.credentials.client.id", None, Any, "Client id of the client credentials grant.")
        .ignored(NO_SASL),
    password(
        "sasl.oauthbearer.client.credentials.client.secret",
        None,
        Any,
        "Client secret of the client credentials grant.",
    )
    .ignored(NO_SASL),
    int("sasl.oauthbearer.clock.skew.seconds", Some("30"), Any, "Clock difference tolerated.").ignored(NO_SASL),
    list("sasl.oauthbearer.expected.audience", Some(""), Distinct, "Audiences a token may be meant for.")
        .ignored(NO_SASL),
    string("sasl.oauthbearer.expected.issuer", None, Any, "Issuer a token must come from.").ignored(NO_SASL),
    long(
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        Some("3600000"),
        Any,
        "How often signing keys are fetched again.",
    )
    .ignored(NO_SASL),
    long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        Some("100"),
        Any,
        "Pause before fetching them is tried again.",
    )
    .ignored(NO_SASL),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Some("10000"), Any, "Upper bound of that pause.")
        .ignored(NO_SASL),
    string("sasl.oauthbearer.jwks.endpoint.url", None, Any, "Where the signing keys are.").ignored(NO_SASL),
    class(
        "sasl.oauthbearer.jwt.retriever.class",
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        Any,
        "Class that fetches tokens.",
    )
    .ignored(JAVA_CLASS),
    class(
        "sasl.oauthbearer.jwt.validator.class",
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        Any,
        "Class that checks tokens.",
    )
    .ignored(JAVA_CLASS),
    string("sasl.oauthbearer.scope", None, Any, "Scope asked for.").ignored(NO_SASL),
    string("sasl.oauthbearer.scope.claim.name", Some("scope"), Any, "Claim that holds the scope.").ignored(NO_SASL),
    string("sasl.oauthbearer.sub.claim.name", Some("sub"), Any, "Claim that holds the user.").ignored(NO_SASL),
    string("sasl.oauthbearer.token.endpoint.url", None, Any, "Where tokens are issued.").ignored(NO_SASL),
    string("security.providers", None, Any, "Security provider classes.").ignored(JAVA_CLASS),
    string("super.users", None, Any, "Users who may do everything, separated by semicolons.")
        .unlisted()
        .ignored(NO_SASL),
    boolean("allow.everyone.if.no.acl.found", Some("false"), Any, "Whether a resource without rules is open to all.")
        .unlisted()
        .ignored(NO_SASL),
];
