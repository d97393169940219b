"""The contract: what it refuses, what it says about it, and that its two validators never disagree."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import document
from nodespec.judge import judge
from nodespec.schema import DRAFT, MAX_CONTRACT_BYTES, Contract, builtin
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    MemoryTree,
    tombstone_path,
)
from nodespec.verdict import Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.finding import Hit, KeyPath

ROOT = Path(__file__).parents[1]
BASE = ROOT / "tests" / "fixtures" / "base"
SPECIMEN = "registry/nodes/lab/probe/specimen.yaml"
NODE = builtin(NODE_SCHEMA_PATH)
TOMBSTONE = builtin(TOMBSTONE_SCHEMA_PATH)
UNSIGNED = Selection.parse(ignore=["P"])
"""What is judged here is unsigned on purpose, so nobody is asked who signed it."""


def contract(**schema: Any) -> Contract:
    return Contract(json.dumps({"$schema": DRAFT, **schema}).encode())


def specimen() -> dict[str, Any]:
    value = document.parse((BASE / SPECIMEN).read_bytes()).value
    assert value is not None
    return value


def with_change(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = specimen()
    change(value)
    return value


def only_hit(judged: Contract, value: Any) -> Hit:
    assert not judged.accepts(value)
    hits = judged.violations(value)
    assert len(hits) == 1, [hit.message for hit in hits]
    return hits[0]


# What an author reads.


def test_the_specimen_fulfils_the_contract() -> None:
    assert NODE.accepts(specimen())
    assert NODE.violations(specimen()) == []


def test_a_misspelt_key_is_one_finding_that_names_the_right_one() -> None:
    def misspell(spec: dict[str, Any]) -> None:
        spec["identity"]["ownr_id"] = spec["identity"].pop("owner_id")

    hit = only_hit(NODE, with_change(misspell))
    assert (hit.code, hit.at, hit.on_key) == ("S001", ("identity", "ownr_id"), True)
    assert hit.message == 'unknown key "ownr_id"; did you mean "owner_id"?'
    assert hit.fix == "Rename it to owner_id."


def test_every_required_key_may_be_misspelt_without_an_echo() -> None:
    for key in NODE.schema["required"]:
        hit = only_hit(NODE, with_change(lambda spec, key=key: spec.update({f"{key}s": spec.pop(key)})))
        assert (hit.code, hit.at) == ("S001", (f"{key}s",))
        assert f'did you mean "{key}"?' in hit.message


def test_a_key_like_no_other_is_told_which_keys_there_are() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["identity"].update(zzz=1)))
    assert hit.message == 'unknown key "zzz"'
    assert hit.fix == "Remove it. Keys that may be added here: lane_reason, capabilities_policy."


def test_a_missing_key_comes_with_an_example() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["identity"].pop("lane")))
    assert (hit.code, hit.at) == ("S002", ("identity",))
    assert hit.message == 'missing key "lane" in identity'
    assert hit.fix == 'Add lane, for example: lane: "candidate".'


def test_dtn_without_an_interval_says_why_it_is_needed() -> None:
    value = with_change(lambda spec: spec.update(extraplanetary_policy={"mode": "DTN"}))
    hit = only_hit(NODE, value)
    assert (hit.code, hit.at) == ("S002", ("extraplanetary_policy",))
    assert "checkpoint_interval_seconds" in hit.message
    assert "DTN" in hit.message
    assert NODE.accepts(with_change(lambda spec: spec.update(extraplanetary_policy={"mode": "SYNC"})))


@pytest.mark.parametrize(
    ("value", "expected", "message", "fix"),
    [
        ("1", "integer", 'the document is the text "1"; expected a whole number', "remove the quotes"),
        ("true", "boolean", 'the document is the text "true"; expected true or false', "remove the quotes"),
        (1, "string", "the document is the number 1; expected text", 'Quote it: "1".'),
        (True, "string", "the document is true, a boolean; expected text", 'Quote it: "true".'),
        ("a", "array", 'the document is the text "a"; expected a list', "each after a dash"),
        ({}, "array", "the document is a mapping; expected a list", "each after a dash"),
        ([], "object", "the document is a list; expected a mapping", ""),
        (None, "string", "the document is null; expected text", ""),
        (1.5, "integer", "the document is the number 1.5; expected a whole number", ""),
        ("a", ["number", "null"], 'the document is the text "a"; expected a number or null', ""),
    ],
)
def test_a_wrong_type_is_said_in_plain_words(value: Any, expected: Any, message: str, fix: str) -> None:
    hit = only_hit(contract(type=expected), value)
    assert (hit.code, hit.message) == ("S003", message)
    assert fix in hit.fix


def test_an_enumeration_lists_its_words_and_the_near_one() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["identity"].update(lane="candidat")))
    assert hit.code == "S004"
    assert hit.message == (
        'identity.lane is "candidat"; expected one of candidate, core, lukhas, products; did you mean candidate?'
    )


def test_a_long_enumeration_is_cut() -> None:
    hit = only_hit(contract(enum=[f"word-{number}" for number in range(5000)]), "qqq")
    assert hit.message.endswith("word-11 and 4988 more")


def test_a_constant_is_named_as_it_is_written() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["provenance_manifest"].update(glymph_enabled=False)))
    assert (hit.code, hit.message) == ("S004", "provenance_manifest.glymph_enabled is false; expected true")
    hit = only_hit(NODE, with_change(lambda spec: spec["metadata"].update(schema_version="nodespec.v2")))
    assert hit.message == 'metadata.schema_version is "nodespec.v2"; expected "nodespec.v1"'


def test_a_wrong_form_shows_an_example() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["metadata"].update(version="1.0")))
    assert hit.code == "S005"
    assert hit.message.startswith('metadata.version is "1.0"')
    assert "for example" in hit.message
    assert '"1.4.0"' in hit.message


def test_a_wrong_form_without_an_example_shows_the_form() -> None:
    hit = only_hit(contract(pattern="^[a-z]+$"), "A")
    assert "^[a-z]+$" in hit.message


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"minimum": 1}, 0, "the document is 0; expected at least 1"),
        ({"maximum": 7}, 8, "the document is 8; expected at most 7"),
        ({"exclusiveMinimum": 0}, 0, "the document is 0; expected more than 0"),
        ({"exclusiveMaximum": 1}, 1, "the document is 1; expected less than 1"),
        ({"multipleOf": 2}, 3, "the document is 3; expected a multiple of 2"),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_told_the_bound(schema: dict[str, Any], value: Any, message: str) -> None:
    hit = only_hit(contract(**schema), value)
    assert (hit.code, hit.message) == ("S006", message)


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"minItems": 2}, ["a"], "has 1 item; expected at least 2"),
        ({"maxItems": 1}, ["a", "b"], "has 2 items; expected at most 1"),
        ({"minLength": 2}, "a", "has 1 character; expected at least 2"),
        ({"maxLength": 2}, "abc", "has 3 characters; expected at most 2"),
        ({"minProperties": 1}, {}, "has 0 keys; expected at least 1"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "has 2 keys; expected at most 1"),
    ],
    ids=str,
)
def test_a_wrong_length_is_told_both_lengths(schema: dict[str, Any], value: Any, message: str) -> None:
    hit = only_hit(contract(**schema), value)
    assert (hit.code, hit.message) == ("S007", f"the document {message}")


def test_a_repeated_item_is_shown_with_both_places() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["identity"].update(roles=["a", "b", "a"])))
    assert (hit.code, hit.at) == ("S008", ("identity", "roles", 2))
    assert hit.message == 'identity.roles holds "a" twice (items 1 and 3)'


def test_a_repeated_item_is_not_confused_with_another_that_python_thinks_equal() -> None:
    hit = only_hit(contract(uniqueItems=True), [True, 1, 1])
    assert hit.at == (2,)


def test_a_bad_key_of_an_open_mapping_is_named_as_a_key() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec.update(policy_min_scores={"Privacy Score": 0.5})))
    assert hit.at == ("policy_min_scores", "Privacy Score")
    assert hit.on_key
    assert 'key "Privacy Score"' in hit.message


# Alternatives.

VARIANTS = [
    {"type": "string", "pattern": "^[a-z]+$", "title": "a name", "examples": ["dawn"]},
    {"type": "object", "required": ["at"], "properties": {"at": {"type": "integer"}}, "additionalProperties": False},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "description": "A list of hours."},
]


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("value", "code", "at"),
    [
        ({}, "S002", ("when",)),
        ({"at": "9"}, "S003", ("when", "at")),
        ({"at": 9, "from": 1}, "S001", ("when", "from")),
        ([], "S007", ("when",)),
        ([1, "2"], "S003", ("when", 1)),
    ],
    ids=str,
)
def test_the_variant_that_was_meant_is_explained(word: str, value: Any, code: str, at: KeyPath) -> None:
    judged = contract(properties={"when": {word: VARIANTS}})
    hit = only_hit(judged, {"when": value})
    assert (hit.code, hit.at) == (code, at)


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
@pytest.mark.parametrize("value", [9, None, True])
def test_where_no_variant_was_meant_all_are_named(word: str, value: Any) -> None:
    hit = only_hit(contract(properties={"when": {word: VARIANTS}}), {"when": value})
    assert (hit.code, hit.at) == ("S009", ("when",))
    assert "none of the forms it may have" in hit.message
    assert all(form in hit.fix for form in ('a name, for example "dawn"', "a mapping", "list of hours"))


def test_the_forms_of_a_schema_reference_are_named() -> None:
    inputs = [{"name": "samples", "schema_ref": "ftp://example.org/a"}]
    hit = only_hit(NODE, with_change(lambda spec: spec["interfaces"].update(inputs=inputs)))
    assert (hit.code, hit.at) == ("S009", ("interfaces", "inputs", 0, "schema_ref"))
    assert hit.message == (
        'interfaces.inputs[0].schema_ref is "ftp://example.org/a", which is none of the forms it may have'
    )
    assert hit.fix.count("for example") == 3


def test_more_than_one_variant_is_not_called_none() -> None:
    hit = only_hit(contract(oneOf=[{"type": "integer"}, {"minimum": 1}]), 3)
    assert hit.code == "S009"
    assert "none of the forms" not in hit.message


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"not": {"type": "string"}}, "a"),
        ({"contains": {"const": 1}}, [2]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"properties": {"a": False}}, {"a": 1}),
        ({"anyOf": [False, {"type": "integer"}]}, "a"),
        ({"anyOf": [False]}, "a"),
        ({"prefixItems": [{}], "items": False}, [1, 2]),
        ({"if": {"type": "string"}, "then": False}, "a"),
        ({"unevaluatedItems": False}, [1]),
    ],
    ids=str,
)
def test_every_keyword_that_refuses_gives_a_finding(schema: dict[str, Any], value: Any) -> None:
    judged = contract(**schema)
    assert not judged.accepts(value)
    hits = judged.violations(value)
    assert hits
    assert all(hit.code[0] == "S" and hit.message for hit in hits)


def test_a_key_that_a_part_of_the_contract_knows_is_not_called_unknown() -> None:
    judged = contract(
        allOf=[{"properties": {"known": {}}}], properties={"own": {}}, unevaluatedProperties=False, type="object"
    )
    assert judged.accepts({"known": 1, "own": 1})
    assert only_hit(judged, {"known": 1, "strange": 2}).at == ("strange",)


# A message may be printed where others read it.

SECRET = "correct horse battery staple "
HUGE = [
    SECRET * 2000,
    [SECRET] * 2000,
    {SECRET: SECRET * 100},
    {f"{SECRET}{number}": number for number in range(200)},
    10**300,
    -1.7976931348623157e308,
]


@pytest.mark.parametrize("value", HUGE, ids=["text", "list", "mapping", "wide mapping", "integer", "float"])
@pytest.mark.parametrize(
    "place",
    [(), ("node_type",), ("metadata", "name"), ("identity", "tier"), ("identity", "roles"), ("interfaces", "inputs")],
    ids=lambda place: ".".join(place) or "root",
)
def test_a_message_never_repeats_the_document(value: Any, place: tuple[str, ...]) -> None:
    spec: Any = specimen()
    if place:
        parent = spec
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = value
    else:
        spec = value
    hits = NODE.violations(spec)
    assert hits
    for hit in hits:
        assert max(len(hit.message), len(hit.fix)) < 400
        assert hit.message.count(SECRET.strip()) <= 2


def test_a_fix_that_quotes_a_number_is_short_too() -> None:
    assert len(only_hit(contract(type="string"), 10**1000).fix) < 400


def test_what_is_quoted_cannot_move_the_cursor() -> None:
    hit = only_hit(NODE, with_change(lambda spec: spec["identity"].update(lane="\x1b[2Kcore\u202e")))
    assert "\x1b" not in hit.message
    assert "\u202e" not in hit.message


# Patterns mean what ECMA-262 says, to both validators.


def explained(judged: Contract, value: Any) -> bool:
    """The verdict of the validator that explains."""
    return not list(judged._explainer.iter_errors(value))


@pytest.mark.parametrize(
    ("pattern", "text", "accepted"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^a$", "b\na", False),
        ("^(a|b)$|^c$", "c\n", False),
        (r"^\$$", "$", True),
        (r"^\$$", "$\n", False),
        ("^[$]$", "$", True),
        ("^[$]$", "$\n", False),
        (r"^[\]$]$", "$", True),
        (r"^\d$", "7", True),
        (r"^\d$", "٧", False),
        (r"^\w$", "é", False),
        (r"^\W$", "é", True),
        (r"^\S$", "\ufeff", False),
        (r"^\p{Ll}+$", "abc", True),
        (r"^\p{Ll}+$", "ABC", False),
        (r"^(?<year>\d{4})$", "2026", True),
        (r"^(?<year>\d{4})$", "26", False),
        (r"^a\/b$", "a/b", True),
        (r"^a\/b$", "a", False),
        (r"^\u0061$", "b", False),
        (r"^\cA$", "x", False),
        ("^[[]$", "x", False),
        ("^[a&&b]$", "x", False),
    ],
)
def test_a_pattern_means_the_same_to_both_validators(pattern: str, text: str, accepted: bool) -> None:
    try:
        judged = contract(pattern=pattern)
    except ValueError:
        return  # a contract that one of the two cannot read may be refused, never half obeyed
    assert judged.accepts(text) is accepted
    assert [hit.code for hit in judged.violations(text)] == ([] if accepted else ["S005"])


@pytest.mark.parametrize("key", ["x-note\n", "x-\n", "\nx-note", "x-note\r", "name\n"])
def test_a_key_that_ends_in_a_newline_is_unknown_to_both_validators(key: str) -> None:
    value = with_change(lambda spec: spec["metadata"].update({key: "value"}))
    hit = only_hit(NODE, value)
    assert (hit.code, hit.at) == ("S001", ("metadata", key))


def test_a_text_that_ends_in_a_newline_is_refused_by_both_validators() -> None:
    for path, change in [
        (("node_type",), lambda spec: spec.update(node_type="lab.probe\n")),
        (("metadata", "name"), lambda spec: spec["metadata"].update(name="specimen\n")),
        (("metadata", "version"), lambda spec: spec["metadata"].update(version="1.0.0\n")),
        (("metadata", "created_at"), lambda spec: spec["metadata"].update(created_at="2026-01-31\n")),
        (("identity", "owner_id"), lambda spec: spec["identity"].update(owner_id=f"GLYMPH:{'0' * 64}\n")),
        (("identity", "roles", 0), lambda spec: spec["identity"].update(roles=["probe\n"])),
    ]:
        value = with_change(change)
        assert not NODE.accepts(value)
        assert not explained(NODE, value)
        assert (only_hit(NODE, value).code, only_hit(NODE, value).at) == ("S005", path)


# The two validators agree.


@pytest.mark.parametrize(
    ("schema", "value", "accepted"),
    [
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, 1.5, False),
        ({"type": "integer"}, True, False),
        ({"type": "number"}, False, False),
        ({"const": True}, 1, False),
        ({"const": 1}, 1.0, True),
        ({"enum": [0]}, False, False),
        ({"uniqueItems": True}, [1, True], True),
        ({"uniqueItems": True}, [1, 1.0], False),
        ({"uniqueItems": True}, [{"a": 1}, {"a": True}], True),
        ({"maxLength": 1}, "😀", True),
        ({"maxLength": 1}, "e\u0301", False),
        ({"minimum": 9007199254740993}, 9007199254740992, False),
        ({"type": "integer"}, 10**30, True),
        ({"maximum": 7}, 10**30, False),
    ],
    ids=str,
)
def test_json_equality_is_not_pythons(schema: dict[str, Any], value: Any, accepted: bool) -> None:
    judged = contract(**schema)
    assert judged.accepts(value) is accepted
    assert explained(judged, value) is accepted


def example_values() -> list[dict[str, Any]]:
    paths = sorted((ROOT / "registry" / "nodes").rglob("*.yaml"))
    values = [document.parse(path.read_bytes()).value for path in paths]
    return [value for value in values if value is not None]


EXAMPLES = example_values()
TOMBSTONES = [
    {**example, "dangling": dangling, "x-ticket": "4711"}
    for example in TOMBSTONE.schema["examples"]
    for dangling in TOMBSTONE.schema["properties"]["dangling"]["examples"]
]

NAMES = ["", "a", "x-note", "x-note\n", "X-note", "name", "tier", "core", "core\n", "a/*", "*", "DTN", "yes", "é"]
FORMS = ["1.0.0", "1.0", "2026-02-30", "GLYMPH:" + "0" * 64, "urn:a:b", "https://example.org/a", "nodespec.v1"]
WORDS = st.sampled_from([*NAMES, *FORMS, "\u202e", "😀" * 200])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    WORDS,
    st.text(max_size=8),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Every key path in a value, the root's first."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, part in parts for deeper in places(part, (*path, key)))]


def mutate(draw: st.DrawFn, value: dict[str, Any]) -> None:
    """Delete, replace, rename, add or double one part of the value."""
    *above, key = draw(st.sampled_from(places(value)[1:] or [("x-empty",)]))
    parent: Any = value
    for part in above:
        parent = parent[part]
    action = draw(st.sampled_from(["delete", "replace", "rename", "add", "double"]))
    if action == "delete":
        if key in parent or isinstance(parent, list):
            del parent[key]
    elif action == "double" and isinstance(parent, list):
        parent.append(deepcopy(parent[key]))
    elif isinstance(parent, dict) and action in ("rename", "add"):
        parent[draw(WORDS)] = parent.pop(key, None) if action == "rename" else draw(JUNK)
    else:
        parent[key] = draw(JUNK)


@st.composite
def mutants(draw: st.DrawFn, values: list[dict[str, Any]] = EXAMPLES) -> Any:
    """One of these values, by default a spec of the example registry, after one to three changes."""
    value = deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(1, 3))):
        mutate(draw, value)
    return value


@settings(max_examples=250, deadline=None)
@given(value=mutants() | JUNK)
def test_the_two_validators_agree_about_every_mutant(value: Any) -> None:
    assert NODE.accepts(value) == explained(NODE, value)
    assert bool(NODE.violations(value)) != NODE.accepts(value)


@settings(max_examples=100, deadline=None)
@given(value=mutants(TOMBSTONES))
def test_the_two_validators_agree_about_every_mutant_of_a_tombstone(value: Any) -> None:
    assert TOMBSTONE.accepts(value) == explained(TOMBSTONE, value)
    assert bool(TOMBSTONE.violations(value)) != TOMBSTONE.accepts(value)


@settings(max_examples=100, deadline=None)
@given(value=mutants() | JUNK)
def test_every_violation_says_something_short_about_a_place(value: Any) -> None:
    known = set(places(value))
    for hit in NODE.violations(value):
        assert hit.code[0] == "S"
        assert 0 < len(hit.message) < 400
        assert hit.at is not None
        assert hit.at in known or hit.at[:-1] in known


def test_every_example_is_accepted_by_both() -> None:
    assert len(EXAMPLES) > 10
    for value in EXAMPLES:
        assert NODE.accepts(value)
        assert explained(NODE, value)
    for value in (*TOMBSTONES, *TOMBSTONE.schema["examples"]):
        assert TOMBSTONE.accepts(value)
        assert explained(TOMBSTONE, value)


def examples_in(schema: Any, root: Any) -> list[tuple[Any, Any]]:
    """Every subschema that has examples, with each of them."""
    found = []
    if isinstance(schema, dict):
        if isinstance(schema.get("examples"), list):
            part = {**schema, "$defs": root.get("$defs", {}), "$schema": DRAFT}
            found += [(part, example) for example in schema["examples"]]
        for part in schema.values():
            found += examples_in(part, root)
    return found


@pytest.mark.parametrize("path", [NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH])
def test_the_examples_that_messages_show_are_right(path: str) -> None:
    shown = examples_in(builtin(path).schema, builtin(path).schema)
    assert shown
    for schema, example in shown:
        if "then" not in str(schema.get("$comment", "")):
            assert Contract(json.dumps(schema).encode()).accepts(example), (schema.get("description"), example)


# What cannot serve as a contract.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"{", "Expecting"),
        (b"\xff", "not UTF-8"),
        (b"[]", "expected a JSON object"),
        (b"true", "expected a JSON object"),
        (b"{}", 'expected a JSON object with "$schema"'),
        (b'{"$schema": "http://json-schema.org/draft-07/schema#"}', DRAFT),
        (b'{"$schema": "%s", "type": "object", "type": "string"}' % DRAFT.encode(), 'duplicate key "type"'),
        (b'{"$schema": "%s", "minimum": NaN}' % DRAFT.encode(), "NaN is not JSON"),
        (b'{"$schema": "%s", "minimum": %s}' % (DRAFT.encode(), b"9" * 5000), ""),
        (b'{"$schema": "%s", "x": %s}' % (DRAFT.encode(), b"[" * 5000 + b"]" * 5000), ""),
        (b'{"$schema": "%s", "x": %s}' % (DRAFT.encode(), b"[" * 500 + b"]" * 500), ""),
        (b'{"$schema": "%s", "type": "strin"}' % DRAFT.encode(), "not a valid JSON Schema"),
        (b'{"$schema": "%s", "pattern": "("}' % DRAFT.encode(), "not a valid JSON Schema"),
        (b'{"$schema": "%s", "$ref": "#/$defs/nowhere"}' % DRAFT.encode(), "not a valid JSON Schema"),
        (b'{"$schema": "%s"}' % DRAFT.encode() + b" " * MAX_CONTRACT_BYTES, "the limit is 1,048,576"),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else value,
)
def test_what_cannot_serve_as_a_contract_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason) or "."):
        Contract(data)


@pytest.mark.parametrize("word", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize(
    "reference",
    ["https://example.org/wide.json", "file:///etc/passwd", "other.json", "//example.org/a", "urn:other#/a", "../a#/b"],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda inner: inner,
        lambda inner: {"properties": {"a": inner}},
        lambda inner: {"anyOf": [{"type": "string"}, inner]},
        lambda inner: {"$defs": {"unused": {"items": inner}}},
    ],
    ids=["root", "property", "variant", "unused definition"],
)
def test_a_contract_never_reaches_outside_itself(word: str, reference: str, place: Any) -> None:
    with pytest.raises(ValueError, match="refers outside itself"):
        contract(**place({word: reference}))


def test_a_contract_of_the_largest_size_is_still_read() -> None:
    data = json.dumps({"$schema": DRAFT}).encode()
    assert Contract(data + b" " * (MAX_CONTRACT_BYTES - len(data))).accepts(1)


# A registry's own contract, beside the tool's.


def small_registry() -> dict[str, bytes]:
    files = {str(path.relative_to(BASE)): path.read_bytes() for path in BASE.rglob("*") if path.is_file()}
    for path in (ROOT / "schemas").glob("*.json"):
        files[f"schemas/{path.name}"] = path.read_bytes()
    return files


def registry_with(schema: dict[str, Any], spec: bytes) -> MemoryTree:
    return MemoryTree(small_registry() | {NODE_SCHEMA_PATH: json.dumps(schema).encode(), SPECIMEN: spec})


def own_schema(path: str = NODE_SCHEMA_PATH) -> dict[str, Any]:
    schema = json.loads((ROOT / path).read_bytes())
    assert isinstance(schema, dict)
    return schema


def codes(tree: MemoryTree) -> list[str]:
    return [finding.code for finding in judge(tree, selection=UNSIGNED).findings]


def test_a_registry_that_widens_its_contract_gets_no_misshapen_spec_past() -> None:
    misshapen = (BASE / SPECIMEN).read_bytes().replace(b"tier: 1", b"tier: 9")
    wide = own_schema()
    wide["properties"]["identity"]["properties"]["tier"] = {}
    assert codes(registry_with(own_schema(), misshapen)) == ["S006"]
    assert codes(registry_with(wide, misshapen)) == ["S006"]
    assert codes(registry_with({"$schema": DRAFT}, misshapen)) == ["S006"]
    assert codes(registry_with({"$schema": DRAFT}, b"nothing: of the kind\n")).count("S002") == 7


def test_a_registry_may_narrow_its_contract() -> None:
    narrow = own_schema()
    narrow["properties"]["identity"]["properties"]["tier"]["maximum"] = 0
    assert codes(registry_with(narrow, (BASE / SPECIMEN).read_bytes())) == ["S006"]


def test_a_violation_of_both_contracts_is_reported_once() -> None:
    narrow = own_schema()
    narrow["x-note"] = "the same contract in other bytes"
    misshapen = (BASE / SPECIMEN).read_bytes().replace(b"tier: 1", b"tier: 9")
    assert codes(registry_with(narrow, misshapen)) == ["S006"]


def test_a_registry_need_not_carry_the_contract_of_tombstones() -> None:
    files = small_registry()
    del files[TOMBSTONE_SCHEMA_PATH]
    assert codes(MemoryTree(files)) == []
    files[tombstone_path("lab.probe/gone")] = json.dumps({**TOMBSTONES[0], "tier": 1}).encode()
    assert codes(MemoryTree(files)) == ["S001"], "then the tool's own is the contract"


@pytest.mark.parametrize("broken", [b"{", b"{}"], ids=["half an object", "no draft"])
def test_a_tombstone_is_not_passed_by_a_contract_that_cannot_be_used(broken: bytes) -> None:
    stone = {**TOMBSTONE.schema["examples"][0], "node_type": "lab.probe", "name": "gone"}
    files = small_registry() | {tombstone_path("lab.probe/gone"): json.dumps(stone).encode()}
    report = judge(MemoryTree(files | {TOMBSTONE_SCHEMA_PATH: broken}), selection=UNSIGNED)
    assert [finding.code for finding in report.findings] == ["T010"]
    assert "S" in report.blocked
    assert report.families["G"] == "not run", "nobody knows which signals it leaves dangling"


def test_a_registry_may_narrow_the_contract_of_tombstones_and_cannot_widen_it() -> None:
    stone = {**TOMBSTONE.schema["examples"][0], "node_type": "lab.probe", "name": "gone"}
    files = small_registry() | {tombstone_path("lab.probe/gone"): json.dumps(stone).encode()}
    assert codes(MemoryTree(files)) == []
    narrow = own_schema(TOMBSTONE_SCHEMA_PATH)
    narrow["properties"]["reason"]["minLength"] = 1000
    assert codes(MemoryTree(files | {TOMBSTONE_SCHEMA_PATH: json.dumps(narrow).encode()})) == ["S007"]
    files[tombstone_path("lab.probe/gone")] = json.dumps(stone | {"reason": ""}).encode()
    wide = json.dumps({"$schema": DRAFT}).encode()
    assert codes(MemoryTree(files | {TOMBSTONE_SCHEMA_PATH: wide})) == ["S007"]
