"""The schema as a page shows it: operations by subject, each with what it takes and what it answers."""

from functools import cache
from typing import Any, NamedTuple

from drf_spectacular.generators import SchemaGenerator

Node = dict[str, Any]
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "date-time": "moment",
    "date": "day",
    "binary": "file",
}


class Field(NamedTuple):
    name: str
    kind: str
    help: str
    required: bool
    default: str


class Operation(NamedTuple):
    name: str
    method: str
    path: str
    summary: str
    description: str
    query: list[Field]
    body: list[Field]
    body_types: list[str]
    answer: list[Field]
    answer_types: list[str]
    is_paged: bool
    """Then `answer` tells of a row of `results`."""


@cache
def subjects() -> dict[str, list[Operation]]:
    """The same as long as the process lives."""
    schema: Node = SchemaGenerator().get_schema(public=True)
    found: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            one = _operation(schema, path, method.upper(), operation)
            found.setdefault(operation["tags"][0], []).append(one)
    return dict(sorted(found.items(), key=lambda each: min(len(one.path) for one in each[1])))


def _operation(schema: Node, path: str, method: str, operation: Node) -> Operation:
    sent = operation.get("requestBody", {}).get("content", {})
    answered = next(one for status, one in operation["responses"].items() if status.startswith("2")).get("content", {})
    answer = _resolved(schema, answered.get("application/json", {}).get("schema", {}))
    is_paged = "results" in answer.get("properties", {})
    row = answer["properties"]["results"]["items"] if is_paged else answer
    return Operation(
        name=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        query=[_parameter(schema, one) for one in operation.get("parameters", ()) if one["in"] == "query"],
        body=_fields(schema, sent.get("application/json", {}).get("schema", {})),
        body_types=[kind for kind in sent if kind != "application/json" or len(sent) > 1],
        answer=_fields(schema, row),
        answer_types=[kind for kind in answered if kind != "application/json"],
        is_paged=is_paged,
    )


def _parameter(schema: Node, one: Node) -> Field:
    return _field(schema, one["name"], {**one["schema"], "description": one.get("description", "")}, one)


def _fields(schema: Node, node: Node) -> list[Field]:
    node = _resolved(schema, node)
    required = node.get("required", [])
    return [
        _field(schema, name, one, {"required": name in required}) for name, one in node.get("properties", {}).items()
    ]


def _field(schema: Node, name: str, node: Node, said: Node) -> Field:
    """The list of choices that ends a description stands in the kind already."""
    default = node.get("default", "")
    return Field(
        name=name,
        kind=_kind(schema, node) + (" or null" if node.get("nullable") else ""),
        help=node.get("description", "").partition("* `")[0].strip(),
        required=bool(said.get("required")),
        default=str(default).lower() if isinstance(default, bool) else str(default),
    )


def _kind(schema: Node, node: Node) -> str:
    node = _resolved(schema, node)
    for joined in ("allOf", "oneOf"):
        if joined in node:
            return " | ".join(filter(None, (_kind(schema, each) for each in node[joined])))
    if "enum" in node:
        return " | ".join(str(value) for value in node["enum"] if value != "")
    if node.get("type") == "array":
        return f"list of {_kind(schema, node['items'])}"
    return WORDS.get(node.get("format", ""), WORDS.get(node.get("type", ""), "anything"))


def _resolved(schema: Node, node: Node) -> Node:
    if "$ref" not in node:
        return node
    return schema["components"]["schemas"][node["$ref"].rpartition("/")[2]]
