"""The contracts as an author's editor shows them, and the example registry as their showcase."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from nodespec import document, tombstone
from nodespec.schema import builtin
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    POLICY_SCHEMA_PATH,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    tombstone_path,
)
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACTS = [NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH, POLICY_SCHEMA_PATH]
SPECS = {path: document.parse(path.read_bytes()).value for path in sorted((ROOT / "registry/nodes").rglob("*.yaml"))}


def resolve(whole: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a subschema with what its local reference says merged in."""
    if "$ref" not in schema:
        return schema
    target: Any = whole
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(whole, target), **{key: value for key, value in schema.items() if key != "$ref"}}


def fields(whole: dict[str, Any], schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property at every level, with its path."""
    schema = resolve(whole, schema)
    for name, part in schema.get("properties", {}).items():
        yield f"{path}/{name}", resolve(whole, part)
        yield from fields(whole, part, f"{path}/{name}")
    if isinstance(schema.get("items"), dict):
        yield from fields(whole, schema["items"], f"{path}/[]")


def used(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every key in a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}/{key}"
            yield from used(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from used(item, f"{path}/[]")


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_field_has_a_description_and_examples_that_it_accepts(name: str) -> None:
    whole = builtin(name).schema
    listed = list(fields(whole, whole))
    assert len(listed) > 8
    for path, field in listed:
        assert field.get("description"), path
        assert field.get("examples"), path
        judge = jsonschema.Draft202012Validator({**field, "$defs": whole.get("$defs", {})})
        for example in field["examples"]:
            judge.validate(example)


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_mapping_is_closed_or_says_what_its_values_are(name: str) -> None:
    whole = builtin(name).schema
    for path, field in [("", whole), *fields(whole, whole)]:
        if field.get("type") == "object":
            assert field.get("additionalProperties", True) is not True, path


def test_the_example_registry_shows_every_field_of_a_nodespec() -> None:
    whole = builtin(NODE_SCHEMA_PATH).schema
    shown = {path for value in SPECS.values() for path in used(value)}
    assert {path for path, _ in fields(whole, whole)} - shown == set()
    assert any("/x-" in path for path in shown)


def test_the_settings_show_every_field_of_theirs() -> None:
    whole = builtin(SETTINGS_SCHEMA_PATH).schema
    value = document.parse((ROOT / SETTINGS_PATH).read_bytes()).value
    assert {path for path, _ in fields(whole, whole)} - set(used(value)) == set()


def test_the_tool_writes_tombstones_that_show_every_field_and_fulfil_their_contract() -> None:
    contract = builtin(TOMBSTONE_SCHEMA_PATH)
    left = tombstone.Dangling(reason='It is "unsafe".', signals=("gaze_tracked", "gaze_tracked.left_eye"))
    stone = tombstone.Tombstone(
        node_type="matriz.sense",
        name="gaze_v1",
        version="1.0.0-rc.1",
        owner="GLYMPH:" + "0" * 64,
        reason="Überholt; see #12: no longer needed",
        successor="matriz.sense/gaze_v2",
        dangling=left,
        path=tombstone_path("matriz.sense/gaze_v1"),
    )
    for written in (stone, replace(stone, successor=None, dangling=None)):
        parsed = document.parse(tombstone.dump(written))
        assert parsed.problems == ()
        assert contract.accepts(parsed.value)
        assert parsed.value is not None
        assert tombstone.from_value(parsed.value, written.path) == written
    shown = set(used(document.parse(tombstone.dump(stone)).value))
    assert {path for path, _ in fields(contract.schema, contract.schema)} == shown


def test_the_report_s_fields_are_described() -> None:
    whole = json.loads((ROOT / "schemas/report.v1.schema.json").read_text(encoding="utf-8"))
    assert [path for path, field in fields(whole, whole) if not field.get("description")] == []
