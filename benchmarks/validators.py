"""Validators of others, which check the schema and nothing else.

``BENCH_NPM`` names the folder in which ``npm install ajv-cli ajv-formats @sourcemeta/jsonschema`` was run.
"""

from __future__ import annotations

import os
from pathlib import Path

SCHEMA = "schemas/nodespec.v1.schema.json"

AJV = "ajv validate (schema only)"
SOURCEMETA = "sourcemeta jsonschema validate (schema only)"


def validators() -> list[tuple[str, list[str]]]:
    """Return the validators that are installed, with their command lines."""
    folder = os.environ.get("BENCH_NPM")
    if not folder:
        return []
    tools = Path(folder).resolve() / "node_modules/.bin"
    ajv = ["ajv", "validate", "--spec=draft2020", "--strict=false", "-c", "ajv-formats", "-s", SCHEMA]
    found = [
        (AJV, [str(tools / ajv[0]), *ajv[1:], "-d", "registry/nodes/**/*.yaml"]),
        (
            SOURCEMETA,
            [str(tools / "jsonschema"), "validate", SCHEMA, "registry/nodes", "--extension", ".yaml", "--fast"],
        ),
    ]
    return [(name, command) for name, command in found if Path(command[0]).exists()]
