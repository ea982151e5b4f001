"""Configs, quotas, credentials, features and the cluster."""

from harness.wrong_use import MISSING_TOPIC, TOPIC, Of, rows

TOPIC_RESOURCE, BROKER_RESOURCE, LOGGER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, NO_RESOURCE = 2, 4, 8, 16, 32, 99
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
SHA_256, SHA_512, NO_MECHANISM = 1, 2, 9
BROKER = Of("broker_name")


def describe(kind: int, name) -> dict:
    return {"resources": [{"resource_type": kind, "resource_name": name, "configuration_keys": None}]}


def alter(config: str, value: str | None, kind: int = TOPIC_RESOURCE, name=TOPIC, times: int = 1) -> dict:
    return {"resources": [{"resource_type": kind, "resource_name": name, "configs": [{"name": config, "value": value}] * times}]}


def change(config: str, value: str | None, operation: int = SET, kind: int = TOPIC_RESOURCE, name=TOPIC, times: int = 1) -> dict:
    one = {"name": config, "config_operation": operation, "value": value}
    return {"resources": [{"resource_type": kind, "resource_name": name, "configs": [one] * times}], "validate_only": False}


def twice(request: dict) -> dict:
    return {**request, "resources": request["resources"] * 2}


def quota(entity: dict[str, str | None], key: str, value: float = 1000.0, times: int = 1) -> dict:
    named = [{"entity_type": kind, "entity_name": name} for kind, name in entity.items()]
    return {"entries": [{"entity": named, "ops": [{"key": key, "value": value, "remove": False}]}] * times, "validate_only": False}


def quotas_of(kind: str, match_type: int = 0, match: str | None = "x", times: int = 1) -> dict:
    return {"components": [{"entity_type": kind, "match_type": match_type, "match": match}] * times, "strict": False}


def user(name: str = "wrong-use-user", mechanism: int = SHA_256, iterations: int = 4096, times: int = 1) -> dict:
    one = {"name": name, "mechanism": mechanism, "iterations": iterations, "salt": b"salt", "salted_password": b"password"}
    return {"deletions": [], "upsertions": [one] * times}


def no_user(name: str = "wrong-use-nobody", mechanism: int = SHA_256) -> dict:
    return {"deletions": [{"name": name, "mechanism": mechanism}], "upsertions": []}


def feature(name: str, level: int, upgrade_type: int = 1, times: int = 1) -> dict:
    return {"feature_updates": [{"feature": name, "max_version_level": level, "upgrade_type": upgrade_type}] * times, "validate_only": True}


ACL = {"resource_type": 2, "resource_name": TOPIC, "principal": "User:a", "host": "*", "operation": 3, "permission_type": 3}
ACL_FILTER = {"resource_type_filter": 2, "resource_name_filter": TOPIC, "principal_filter": None, "host_filter": None, "operation": 1, "permission_type": 1}

ROWS = [
    *rows(
        "DescribeConfigs",
        ((1, 4), "a topic nobody knows", describe(TOPIC_RESOURCE, MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((1, 4), "a wrong topic name", describe(TOPIC_RESOURCE, "sl/ash"), "INVALID_TOPIC_EXCEPTION"),
        ((1, 4), "a broker that is no number", describe(BROKER_RESOURCE, "first"), "INVALID_REQUEST"),
        ((1, 4), "another broker", describe(BROKER_RESOURCE, "77"), "INVALID_REQUEST"),
        ((1, 4), "loggers of another broker", describe(LOGGER_RESOURCE, "77"), "INVALID_REQUEST"),
        ((1, 4), "loggers of no broker", describe(LOGGER_RESOURCE, ""), "INVALID_REQUEST"),
        ((1, 4), "a kind of resource nobody knows", describe(NO_RESOURCE, TOPIC), "INVALID_REQUEST"),
        ((1, 4), "a group without name", describe(GROUP_RESOURCE, ""), "INVALID_REQUEST"),
    ),
    *rows(
        "AlterConfigs",
        ((0, 2), "a topic nobody knows", alter("retention.ms", "1000", name=MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 2), "a config nobody knows", alter("no.such.config", "1"), "INVALID_CONFIG"),
        ((0, 2), "a wrong value", alter("retention.ms", "soon"), "INVALID_CONFIG"),
        ((0, 2), "no value", alter("retention.ms", None), "INVALID_REQUEST"),
        ((0, 2), "a config twice", alter("retention.ms", "1000", times=2), "INVALID_REQUEST"),
        # Not here: a resource twice. Kafka trips over it and hangs up; msgloop refuses both.
        ((0, 2), "a kind of resource nobody knows", alter("retention.ms", "1", kind=NO_RESOURCE), "INVALID_REQUEST"),
        ((0, 2), "another broker", alter("log.cleaner.threads", "2", BROKER_RESOURCE, "77"), "INVALID_REQUEST"),
    ),
    *rows(
        "IncrementalAlterConfigs",
        ((0, 1), "a topic nobody knows", change("retention.ms", "1000", name=MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 1), "a wrong topic name", change("retention.ms", "1000", name="sl/ash"), "INVALID_TOPIC_EXCEPTION"),
        ((0, 1), "a config nobody knows", change("no.such.config", "1"), "INVALID_CONFIG"),
        ((0, 1), "a wrong value", change("retention.ms", "soon"), "INVALID_CONFIG"),
        ((0, 1), "no value", change("retention.ms", None), "INVALID_REQUEST"),
        ((0, 1), "a value appended to what is no list", change("retention.ms", "1", APPEND), "INVALID_CONFIG"),
        ((0, 1), "a value taken from what is no list", change("retention.ms", "1", SUBTRACT), "INVALID_CONFIG"),
        ((0, 1), "a value appended that the list may not hold", change("cleanup.policy", "burn", APPEND), "INVALID_CONFIG"),
        ((0, 1), "a config twice", change("retention.ms", "1000", times=2), "INVALID_REQUEST"),
        ((0, 1), "a resource twice", twice(change("retention.ms", "1000")), "INVALID_REQUEST INVALID_REQUEST"),
        ((0, 1), "an operation nobody knows", change("retention.ms", "1", 9), "UNKNOWN_SERVER_ERROR"),
        ((0, 1), "a kind of resource nobody knows", change("retention.ms", "1", kind=NO_RESOURCE), "INVALID_REQUEST"),
        ((0, 1), "a broker that is no number", change("log.cleaner.threads", "2", kind=BROKER_RESOURCE, name="first"), "INVALID_REQUEST"),
        ((0, 1), "another broker", change("log.cleaner.threads", "2", kind=BROKER_RESOURCE, name="77"), "INVALID_REQUEST"),
        ((0, 1), "a broker config that only a start reads", change("broker.rack", "a", kind=BROKER_RESOURCE, name=BROKER), "INVALID_REQUEST"),
        ((0, 1), "a broker config with a wrong value", change("log.cleaner.threads", "many", kind=BROKER_RESOURCE, name=BROKER), "INVALID_REQUEST"),
        ((0, 1), "a group config nobody knows", change("no.such.config", "1", kind=GROUP_RESOURCE, name="g"), "INVALID_CONFIG"),
        ((0, 1), "a group config out of its bounds", change("consumer.session.timeout.ms", "1", kind=GROUP_RESOURCE, name="g"), "INVALID_CONFIG"),
        ((0, 1), "a group without name", change("consumer.session.timeout.ms", "45000", kind=GROUP_RESOURCE, name=""), "INVALID_REQUEST"),
        ((0, 1), "a logger nobody knows", change("no.such.logger", "DEBUG", kind=LOGGER_RESOURCE, name=BROKER), "INVALID_CONFIG"),
        ((0, 1), "a level nobody knows", change("root", "LOUD", kind=LOGGER_RESOURCE, name=BROKER), "INVALID_CONFIG"),
        ((0, 1), "loggers of another broker", change("root", "DEBUG", kind=LOGGER_RESOURCE, name="77"), "INVALID_REQUEST"),
        ((0, 1), "no level for the root logger", change("root", None, DELETE, kind=LOGGER_RESOURCE, name=BROKER), "INVALID_REQUEST"),
        ((0, 1), "a level appended", change("root", "DEBUG", APPEND, kind=LOGGER_RESOURCE, name=BROKER), "INVALID_REQUEST"),
    ),
    *rows(
        "AlterClientQuotas",
        ((0, 1), "a quota nobody knows", quota({"user": "u"}, "no_such_rate"), "INVALID_REQUEST"),
        ((0, 1), "a kind of entity nobody knows", quota({"planet": "p"}, "producer_byte_rate"), "INVALID_REQUEST"),
        ((0, 1), "no entity", quota({}, "producer_byte_rate"), "INVALID_REQUEST"),
        ((0, 1), "a rate of a fraction of a byte", quota({"user": "u"}, "producer_byte_rate", 0.5), "INVALID_REQUEST"),
        ((0, 1), "a negative rate", quota({"user": "u"}, "producer_byte_rate", -1.0), "INVALID_REQUEST"),
        ((0, 1), "a user's rate of connections", quota({"user": "u"}, "connection_creation_rate"), "INVALID_REQUEST"),
        ((0, 1), "an address that is none", quota({"ip": "not an address"}, "connection_creation_rate", 10.0), "INVALID_REQUEST"),
        ((0, 1), "an address and a user", quota({"ip": "127.0.0.1", "user": "u"}, "connection_creation_rate"), "INVALID_REQUEST"),
        ((0, 1), "an entity twice", quota({"user": "u"}, "producer_byte_rate", times=2), "INVALID_REQUEST"),
        ((0, 1), "an entity with empty name", quota({"user": ""}, "producer_byte_rate"), "INVALID_REQUEST"),
    ),
    *rows(
        "DescribeClientQuotas",
        ((0, 1), "a kind of entity nobody knows", quotas_of("planet"), "UNSUPPORTED_VERSION"),
        ((0, 1), "a kind of entity twice", quotas_of("user", times=2), "INVALID_REQUEST"),
        ((0, 1), "a kind of match nobody knows", quotas_of("user", match_type=9), "INVALID_REQUEST"),
        ((0, 1), "an exact match of nothing", quotas_of("user", match=None), "INVALID_REQUEST"),
        ((0, 1), "a match of the default by name", quotas_of("user", match_type=1, match="x"), "INVALID_REQUEST"),
        ((0, 1), "an empty kind of entity", quotas_of(""), "INVALID_REQUEST"),
    ),
    *rows(
        "AlterUserScramCredentials",
        (0, "a mechanism nobody knows", user(mechanism=NO_MECHANISM), "UNSUPPORTED_SASL_MECHANISM"),
        (0, "too few iterations", user(iterations=4095), "UNACCEPTABLE_CREDENTIAL"),
        (0, "too many iterations", user(iterations=16385), "UNACCEPTABLE_CREDENTIAL"),
        (0, "no user name", user(name=""), "UNACCEPTABLE_CREDENTIAL"),
        (0, "a user twice", user(times=2), "DUPLICATE_RESOURCE"),
        (0, "the end of a user nobody knows", no_user(), "RESOURCE_NOT_FOUND"),
        (0, "the end of a mechanism nobody knows", no_user(mechanism=NO_MECHANISM), "UNSUPPORTED_SASL_MECHANISM"),
        (0, "the end of a user without name", no_user(name=""), "UNACCEPTABLE_CREDENTIAL"),
    ),
    *rows(
        "DescribeUserScramCredentials",
        (0, "a user nobody knows", {"users": [{"name": "wrong-use-nobody"}]}, "NONE RESOURCE_NOT_FOUND"),
        (0, "a user twice", {"users": [{"name": "wrong-use-nobody"}] * 2}, "NONE DUPLICATE_RESOURCE"),
    ),
    *rows(
        "UpdateFeatures",
        ((1, 2), "a feature nobody knows", feature("no.such.feature", 1), "INVALID_UPDATE_VERSION"),
        ((1, 2), "a level nobody knows", feature("metadata.version", 999), "INVALID_UPDATE_VERSION"),
        ((1, 2), "a kind of change nobody knows", feature("metadata.version", 7, 9), "INVALID_UPDATE_VERSION"),
        ((1, 2), "a feature without name", feature("", 1), "INVALID_UPDATE_VERSION"),
    ),
    *rows(
        "DescribeQuorum",
        ((0, 2), "a topic that is not the cluster's metadata", {"topics": [{"topic_name": TOPIC, "partitions": [{"partition_index": 0}]}]}, "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 2), "no topic", {"topics": []}, "NONE"),
    ),
    *rows(
        "DescribeCluster",
        ((1, 2), "the controllers' endpoint", {"endpoint_type": 2}, "MISMATCHED_ENDPOINT_TYPE"),
        ((1, 2), "an endpoint nobody knows", {"endpoint_type": 9}, "UNSUPPORTED_ENDPOINT_TYPE"),
    ),
    *rows(
        "ListConfigResources",
        (1, "a kind of resource nobody knows", {"resource_types": [NO_RESOURCE]}, "UNSUPPORTED_VERSION"),
    ),
    *rows("DescribeAcls", ((1, 3), "no authorizer", ACL_FILTER, "SECURITY_DISABLED")),
    *rows("CreateAcls", ((1, 3), "no authorizer", {"creations": [ACL]}, "SECURITY_DISABLED")),
    *rows("DeleteAcls", ((1, 3), "no authorizer", {"filters": [ACL_FILTER]}, "SECURITY_DISABLED")),
    *rows(
        "ApiVersions",
        ((3, 4), "a client's name with blanks", {"client_software_name": "a b", "client_software_version": "1"}, "INVALID_REQUEST"),
        ((3, 4), "a client without version", {"client_software_name": "a", "client_software_version": ""}, "INVALID_REQUEST"),
    ),
]
