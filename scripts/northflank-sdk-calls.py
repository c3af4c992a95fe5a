"""Writes sandbox/northflank/schemas/sdk-calls.json from Northflank's own Python SDK.

    python3 -m venv /tmp/sdk && /tmp/sdk/bin/pip install northflank==2.1.0
    /tmp/sdk/bin/python scripts/northflank-sdk-calls.py && npx biome check --write sandbox/northflank/schemas

Needed only for a new version of the SDK, or when the sandbox serves a call that the list lacks: the tests read the list.

The SDK is generated from the vendor's OpenAPI document. The list keeps, of each call in `selected`: method, path, the
permission that it needs, the names of its query, and its answer as JSON Schema: names, types, enums, and which of them
every answer has.
"""

import importlib
import json
import pkgutil
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import northflank.endpoints
from northflank import _types
from northflank.endpoint import ApiEndpoint
from northflank.response import ApiCallResponse
from typing_extensions import ForwardRef, NotRequired, Required, get_type_hints, is_typeddict

target = Path(__file__).parent.parent / "sandbox/northflank/schemas/sdk-calls.json"

service = "/v1/projects/{projectId}/services/{serviceId}"
job = "/v1/projects/{projectId}/jobs/{jobId}"
selected = {
    "/v1/auth": ["GET"],
    "/v1/projects": ["GET"],
    "/v1/projects/{projectId}": ["GET"],
    "/v1/projects/{projectId}/services": ["GET"],
    service: ["GET"],
    f"{service}/deployment": ["GET", "POST"],
    "/v1/projects/{projectId}/services/deployment/{serviceId}": ["PATCH"],
    "/v1/projects/{projectId}/services/combined/{serviceId}": ["PATCH"],
    f"{service}/build": ["GET"],
    f"{service}/build/{{buildId}}": ["GET"],
    f"{service}/pause": ["POST"],
    f"{service}/resume": ["POST"],
    f"{service}/restart": ["POST"],
    f"{service}/deployments": ["GET"],
    f"{service}/rollout": ["GET"],
    f"{service}/rollout/configuration": ["POST"],
    f"{service}/rollout/promote": ["POST"],
    f"{service}/rollout/rollback": ["POST"],
    "/v1/projects/{projectId}/jobs": ["GET"],
    job: ["GET", "PATCH"],
    "/v1/projects/{projectId}/jobs/manual/{jobId}": ["PATCH"],
    "/v1/projects/{projectId}/jobs/cron/{jobId}": ["PATCH"],
    f"{job}/build": ["GET"],
    f"{job}/build/{{buildId}}": ["GET"],
    f"{job}/deployment": ["GET", "POST"],
    f"{job}/runs": ["GET", "POST"],
    f"{job}/runs/{{runId}}": ["GET", "DELETE"],
    "/v1/integrations/notifications": ["GET", "POST"],
    "/v1/integrations/notifications/{notificationId}": ["GET", "POST", "DELETE"],
}


def endpoints():
    for module in pkgutil.walk_packages(northflank.endpoints.__path__, "northflank.endpoints."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, ApiEndpoint) and value.__module__ == module.name:
                if value.path_templates:
                    yield value


def path_of(endpoint):
    """The path without a team: every other one is a longer form of it."""
    return min(endpoint.path_templates, key=len)


def call_of(endpoint):
    module = importlib.import_module(endpoint.__module__)
    names = vars(module) | {"ApiCallResponse": ApiCallResponse}
    answer = get_type_hints(endpoint.call, names, include_extras=True)["return"]
    schema = schema_of(get_args(answer)[0])
    return {
        "name": endpoint.__name__.removesuffix("Endpoint"),
        "method": endpoint.method.upper(),
        "path": path_of(endpoint),
        "permission": endpoint.required_permissions,
        "query": list(endpoint.query_params),
        "isPaginated": endpoint.is_paginated,
        "file": Path(module.__file__).relative_to(Path(northflank.__path__[0]).parent).as_posix(),
        "data": schema,
    }


def schema_of(kind):
    if isinstance(kind, str):
        return schema_of(eval(kind, vars(_types)))
    if isinstance(kind, ForwardRef):
        return schema_of(kind.__forward_arg__)
    if kind is Any:
        return {}
    if kind is None or kind is type(None):
        return {"type": "null"}
    plain = {str: "string", bool: "boolean", int: "integer", float: "number"}
    if kind in plain:
        return {"type": plain[kind]}
    if is_typeddict(kind):
        return object_of(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (NotRequired, Required):
        return schema_of(args[0])
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return union_of([schema_of(arg) for arg in args])
    if origin is list or kind is list:
        return {"type": "array", **({"items": schema_of(args[0])} if args else {})}
    if origin is dict or kind is dict:
        items = schema_of(args[1]) if args else {}
        return {"type": "object", **({"additionalProperties": items} if items else {})}
    raise TypeError(f"no schema for {kind!r}")


def union_of(schemas):
    different = [each for index, each in enumerate(schemas) if each not in schemas[:index]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def object_of(kind):
    hints = get_type_hints(kind, vars(_types), include_extras=True)
    required, properties = [], {}
    for name, hint in sorted(hints.items()):
        # The functional form of a TypedDict keeps the whole annotation as a text.
        hint = eval(hint, vars(_types)) if isinstance(hint, str) else hint
        if get_origin(hint) is not NotRequired:
            required.append(name)
        properties[name] = schema_of(hint)
    return {"type": "object", **({"required": required} if required else {}), "properties": properties}


calls = [call_of(each) for each in endpoints() if each.method.upper() in selected.get(path_of(each), [])]
calls.sort(key=lambda call: (call["path"], call["method"]))
source = {
    "package": "northflank",
    "registry": "PyPI",
    "version": version("northflank"),
    "types": "northflank/_types.py",
    "writtenBy": "scripts/northflank-sdk-calls.py",
}
target.write_text(json.dumps({"source": source, "calls": calls}, indent=2) + "\n")
print(f"{len(calls)} calls -> {target}")
