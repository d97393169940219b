"""Mallory cannot sign, so he spells the same thing otherwise, hoping that two readers disagree about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nodespec import statement
from tests.village import SCOUT, key, sealed, village

if TYPE_CHECKING:
    from collections.abc import Callable


def respelled(change: Callable[[bytes], bytes]) -> list[str]:
    """Return the codes after the envelope's file was spelled otherwise."""
    s = village()
    path = s.attestation_file(SCOUT)
    before = s.files[path]
    s.files[path] = change(before)
    assert s.files[path] != before
    return s.codes()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: json.dumps(json.loads(data), indent=1).encode(),
        lambda data: data.removesuffix(b"\n"),
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode() + b"\n",
        lambda data: data.replace(b'"payloadType"', b'"payload\\u0054ype"'),
        lambda data: data.replace(b'{"payload":', b'{"payload":"","payload":'),
        lambda data: data.replace(b'{"payload":', b'{"extra":1,"payload":'),
        lambda data: data.replace(b'"signatures":[', b'"signatures":[Infinity,'),
        lambda data: data.replace(b'"signatures":[', b'"signatures":[NaN,'),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b'"keyid":"', b'"keyid":" '),
    ],
)
def test_an_envelope_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    assert respelled(change) in (["P009"], ["P015"])


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload.replace(b'":"register"', b'": "register"'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":0.0'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":-0'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":false'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":0,"sequence":0'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":0,"why":1'),
        lambda payload: payload.replace(b'"sequence":0', b'"sequence":Infinity'),
        lambda payload: payload.replace(b'"register"', b'"\\u0072egister"'),
        lambda payload: payload + b" ",
    ],
)
def test_a_payload_has_one_spelling_even_when_the_owner_signs_another(change: Callable[[bytes], bytes]) -> None:
    s = village()
    payload = s.signed(SCOUT).payload
    assert change(payload) != payload
    s.files[s.attestation_file(SCOUT)] = sealed(statement.PAYLOAD_TYPE, change(payload), [key("Bob")])
    assert s.codes() == ["P009"]


def test_spelled_as_it_should_be_it_passes() -> None:
    s = village()
    s.files[s.attestation_file(SCOUT)] = sealed(statement.PAYLOAD_TYPE, s.signed(SCOUT).payload, [key("Bob")])
    assert s.codes() == []
