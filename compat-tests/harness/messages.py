"""Requests and answers of any API as nested dictionaries, by kafka-python's message classes: field names are Kafka's, in snake case."""

import functools
import importlib
import pkgutil

import kafka.protocol
from kafka.protocol.api_message import ApiMessage

from harness import paths
from harness.wire import Connection


@functools.cache
def _classes() -> dict[str, type]:
    """The request and response classes by Kafka's names."""
    for package in ("admin", "consumer", "metadata", "producer"):
        parent = importlib.import_module(f"kafka.protocol.{package}")
        for module in pkgutil.iter_modules(parent.__path__):
            importlib.import_module(f"kafka.protocol.{package}.{module.name}")
    return {each.__name__: each for each in ApiMessage.__subclasses__()}


def _filled(value, field, version: int):
    """Nested dictionaries as the field's own classes; what is not said is at its default."""
    if value is None or not (field.is_struct() or field.is_struct_array()):
        return value
    if field.is_struct_array():
        return [_struct(each, field, version) for each in value]
    return _struct(value, field, version)


def _struct(values: dict, field, version: int):
    unknown = set(values) - set(field.fields)
    assert not unknown, f"{field.name} has no {unknown}, but {sorted(field.fields)}"
    return field.data_class(version=version, **{name: _filled(value, field.fields[name], version) for name, value in values.items()})


def ask(connection: Connection, api: str, version: int, fields: dict) -> dict:
    """Sends a request of `api` and returns its answer. Raises `wire.Closed` when the broker hangs up instead."""
    classes = _classes()
    request_class, response_class = classes[f"{api}Request"], classes[f"{api}Response"]
    known = request_class.fields
    request = request_class[version](**{name: _filled(value, known[name], version) for name, value in fields.items()})
    connection.correlation_id += 1
    request.with_header(connection.correlation_id, "compat")
    connection.send_raw(request.encode(header=True, framed=True))
    answer = connection.receive()
    # Kafka answers ApiVersions under the oldest header whatever was asked.
    if response_class.flexible_version_q(version) and api != "ApiVersions":
        assert answer[:1] == b"\0", "no tagged fields in the header"
        answer = answer[1:]
    # Not ApiVersionsResponse's own, which takes every refusal for one in version 0.
    return ApiMessage.decode.__func__(response_class[version], answer).to_dict(json=False)


def key(api: str) -> int:
    """The API key."""
    return _classes()[f"{api}Request"].API_KEY


def codes(answer) -> list[int]:
    """Every error code of an answer, outermost first, in the order they stand in; not the one about configs that may not be seen."""
    if isinstance(answer, dict):
        own = [value for name, value in answer.items() if name in ("error_code", "partition_error_code")]
        return own + [code for value in answer.values() for code in codes(value)]
    if isinstance(answer, list):
        return [code for each in answer for code in codes(each)]
    return []


@functools.cache
def error_names() -> dict[int, str]:
    """Kafka's names of its error codes, from the table in `docs/error-codes.md`."""
    rows = (line.split("|") for line in (paths.REPOSITORY / "docs" / "error-codes.md").read_text().splitlines() if line.startswith("|"))
    return {int(row[1]): row[2].strip() for row in rows if row[1].strip().lstrip("-").isdigit()}
