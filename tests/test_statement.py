"""in-toto Statements: exactly four keys, one type, at least one subject."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nodespec import statement
from nodespec.encoding import canonical_json
from tests.attacks.tampering import accepted, written

TYPE = "urn:example:claim"
SUBJECTS = [statement.subject("a.txt", sha256="00" * 32), statement.subject("b.txt", sha256="ff" * 32, sha1="0" * 40)]
PREDICATE = {"good": True, "because": ["I say so", 1], "by": {"whom": None}}
PAYLOAD = statement.payload(SUBJECTS, TYPE, PREDICATE)


def parse(value: Any) -> tuple[list[Any], Any]:
    return statement.parse(written(value), TYPE)


def test_a_statement_is_what_in_toto_says() -> None:
    assert json.loads(PAYLOAD) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "a.txt", "digest": {"sha256": "00" * 32}},
            {"name": "b.txt", "digest": {"sha256": "ff" * 32, "sha1": "0" * 40}},
        ],
        "predicateType": TYPE,
        "predicate": PREDICATE,
    }
    assert statement.PAYLOAD_TYPE == "application/vnd.in-toto+json"


def test_a_statement_comes_back_and_is_written_canonically() -> None:
    assert statement.parse(PAYLOAD, TYPE) == (SUBJECTS, PREDICATE)
    assert canonical_json(json.loads(PAYLOAD)) == PAYLOAD


def test_a_statement_with_one_part_wrong_is_refused() -> None:
    """What the predicate and each subject say is for the module that owns the predicate type."""
    value = json.loads(PAYLOAD)
    taken = accepted(value, parse)
    assert taken
    assert all(what.startswith(("subject.", "predicate.", "predicate:")) for what in taken)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, r'its _type is "https://in-toto\.io/Statement/v0\.1", not'),
        ({"_type": "https://in-toto.io/Statement/v1/"}, "its _type is"),
        ({"predicateType": "urn:example:other"}, 'its predicateType is "urn:example:other", not urn:example:claim'),
        ({"predicateType": TYPE.upper()}, "its predicateType is"),
        ({"subject": []}, "subject must be a list of 1 to"),
        ({"note": 1}, "the statement must have exactly the keys .* unknown: note"),
    ],
)
def test_a_statement_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    value = json.loads(PAYLOAD)
    assert parse(value) == (SUBJECTS, PREDICATE)
    with pytest.raises(ValueError, match=reason):
        parse({**value, **fields})


@pytest.mark.parametrize("key", ["_type", "subject", "predicateType", "predicate"])
def test_a_statement_says_nothing_twice(key: str) -> None:
    value = json.loads(PAYLOAD)
    twice = b'{"%s":%s,' % (key.encode(), written(value[key])) + PAYLOAD[1:]
    with pytest.raises(ValueError, match=f'duplicate key "{key}"'):
        statement.parse(twice, TYPE)


def test_the_caller_asks_for_one_type() -> None:
    assert statement.parse(PAYLOAD, TYPE)
    with pytest.raises(ValueError, match="its predicateType is"):
        statement.parse(PAYLOAD, "urn:example:other")
