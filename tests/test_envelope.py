"""DSSE: the bytes of its specification, and an envelope that can be written in one way only."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import envelope
from nodespec.envelope import MAX_BYTES, MAX_SIGNATURES, Envelope, Signature
from nodespec.keys import HmacKey, generate
from nodespec.statement import PAYLOAD_TYPE

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)

GOOD: dict[str, Any] = {
    "payload": "aGVsbG8gd29ybGQ=",
    "payloadType": "http://example.com/HelloWorld",
    "signatures": [{"keyid": "k", "sig": "QQ=="}],
}


def parse(fields: Any) -> Envelope:
    return envelope.parse(json.dumps(fields).encode())


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, **fields}


def first(pair: tuple[str, bytes]) -> str:
    return pair[0]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def test_the_vector_of_the_specification_holds() -> None:
    assert envelope.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_of_bytes_and_make_every_encoding_unique() -> None:
    assert envelope.pae("", b"") == b"DSSEv1 0  0 "
    assert envelope.pae("é", "漢".encode()) == "DSSEv1 2 é 3 漢".encode()
    splits = [("a", b"b 1 c"), ("a 3 b", b"c"), ("a 5 b 1", b"c"), ("", b"a 3 b 1 c")]
    assert len({envelope.pae(kind, body) for kind, body in splits}) == len(splits)


@given(st.text(), st.binary(), st.text(), st.binary())
@EXAMPLES
def test_two_pairs_never_share_an_encoding(kind: str, body: bytes, other_kind: str, other_body: bytes) -> None:
    same = envelope.pae(kind, body) == envelope.pae(other_kind, other_body)
    assert same == ((kind, body) == (other_kind, other_body))


@given(
    st.text(),
    st.binary(max_size=200),
    st.lists(
        st.tuples(st.text(), st.binary(max_size=80)),
        min_size=1,
        max_size=MAX_SIGNATURES,
        unique_by=first,
    ),
)
@EXAMPLES
def test_an_envelope_comes_back_from_its_file(kind: str, payload: bytes, pairs: list[tuple[str, bytes]]) -> None:
    signatures = tuple(Signature(key_id=key_id, value=value) for key_id, value in pairs)
    written = Envelope(payload_type=kind, payload=payload, signatures=signatures)
    read = envelope.parse(written.dump())
    assert read == replace(written, signatures=read.signatures)
    assert [(item.key_id, item.value) for item in read.signatures] == sorted(pairs, key=first)
    assert read.dump() == written.dump()
    assert written.dump().endswith(b"}\n")
    assert written.dump().count(b"\n") == 1


def test_a_file_is_canonical_json() -> None:
    written = Envelope(payload_type="t", payload=b"A", signatures=(Signature(key_id="k", value=b"A"),))
    assert written.dump() == b'{"payload":"QQ==","payloadType":"t","signatures":[{"keyid":"k","sig":"QQ=="}]}\n'


def test_a_file_does_not_tell_who_signed_first() -> None:
    one, two = generate("ed25519"), generate("ml-dsa-44")
    pairs = [(key.public.key_id, key) for key in (one, two)]
    unsigned = Envelope(payload_type="t", payload=b"A", signatures=())
    in_turn = [unsigned.signed_with(pairs[:1]).signed_with(pairs[1:]), unsigned.signed_with(pairs[::-1])]
    listed = [[item.key_id for item in envelope.parse(sealed.dump()).signatures] for sealed in in_turn]
    assert listed == [sorted((one.public.key_id, two.public.key_id))] * 2


def test_a_registry_keeps_one_spelling_of_an_envelope() -> None:
    written = parse(changed(signatures=[{"keyid": "b", "sig": "QQ=="}, {"keyid": "a", "sig": "QUI="}]))
    data, kind = written.dump(), written.payload_type
    assert envelope.parse_exact(data, kind).dump() == data
    one, two = b'{"keyid":"a","sig":"QUI="}', b'{"keyid":"b","sig":"QQ=="}'
    swapped = data.replace(one + b"," + two, two + b"," + one)
    assert envelope.parse(swapped) == written
    for other in (swapped, data[:-1], data + b"\n", data.replace(b",", b", "), json.dumps(json.loads(data)).encode()):
        with pytest.raises(ValueError, match="not written canonically"):
            envelope.parse_exact(other, kind)
    with pytest.raises(ValueError, match=r'payload type is "http://example.com/HelloWorld", not text/plain'):
        envelope.parse_exact(data, "text/plain")


def test_reading_does_not_ask_for_the_canonical_order() -> None:
    spread = json.dumps(GOOD, indent=2).encode()
    assert envelope.parse(spread) == parse(dict(reversed(GOOD.items())))


def test_what_is_sealed_verifies_and_covers_type_and_payload() -> None:
    key, secret = generate("ed25519"), HmacKey(secret=b"0123456789abcdefghijklmnopqrstuv")
    sealed = envelope.seal(PAYLOAD_TYPE, b"{}", [(key.public.key_id, key), ("hmac-sha256", secret)])
    read = envelope.parse(sealed.dump())
    values = {item.key_id: item.value for item in read.signatures}
    by_key, by_secret = values[key.public.key_id], values["hmac-sha256"]
    assert key.public.verify(by_key, read.message)
    assert secret.verify(by_secret, read.message)
    for other in (envelope.pae(PAYLOAD_TYPE, b"{ }"), envelope.pae("text/plain", b"{}"), b"{}"):
        assert not key.public.verify(by_key, other)
        assert not secret.verify(by_secret, other)


REFUSED: dict[str, Any] = {
    "a list": [],
    "text": "x",
    "null": None,
    "no payload": without("payload"),
    "no payload type": without("payloadType"),
    "no signatures": without("signatures"),
    "one key more": changed(extra=1),
    "a payload that is a number": changed(payload=1),
    "a payload that is null": changed(payload=None),
    "a payload without padding": changed(payload="QQ"),
    "a payload in a second spelling": changed(payload="QR=="),
    "a payload in the URL alphabet": changed(payload="_-8="),
    "a payload with a line break": changed(payload="QQ==\n"),
    "a payload type that is a number": changed(payloadType=1),
    "a payload type that is a list": changed(payloadType=[]),
    "an empty list of signatures": changed(signatures=[]),
    "signatures that are a mapping": changed(signatures={}),
    "signatures that are text": changed(signatures="x"),
    "seventeen signatures": changed(signatures=[{"keyid": str(n), "sig": "QQ=="} for n in range(MAX_SIGNATURES + 1)]),
    "a signature that is text": changed(signatures=["QQ=="]),
    "a signature without a key id": changed(signatures=[{"sig": "QQ=="}]),
    "a signature without a value": changed(signatures=[{"keyid": "k"}]),
    "a signature with one key more": changed(signatures=[{"keyid": "k", "sig": "QQ==", "cert": "x"}]),
    "a signature in a second spelling": changed(signatures=[{"keyid": "k", "sig": "QR=="}]),
    "a signature that is null": changed(signatures=[{"keyid": "k", "sig": None}]),
    "a key id that is a number": changed(signatures=[{"keyid": 1, "sig": "QQ=="}]),
    "a key id twice": changed(signatures=[{"keyid": "k", "sig": "QQ=="}, {"keyid": "k", "sig": "QUI="}]),
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED)
def test_what_is_not_exactly_an_envelope_is_refused(fields: Any) -> None:
    assert parse(GOOD).payload == b"hello world"
    with pytest.raises(ValueError, match=r"\w"):
        parse(fields)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(json.dumps(GOOD).encode() * 2, id="two envelopes"),
        pytest.param(json.dumps(GOOD).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps(GOOD).replace('"k"', '"\xff"').encode("latin-1"), id="not UTF-8"),
        pytest.param(json.dumps(GOOD).replace('{"payload"', '{"payload": "", "payload"').encode(), id="payload twice"),
        pytest.param(json.dumps(GOOD).replace('"sig"', '"sig": "QUI=", "sig"').encode(), id="sig twice"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(json.dumps(GOOD).replace('[{"keyid"', '[NaN, {"keyid"').encode(), id="NaN"),
    ],
)
def test_bytes_that_two_readers_may_take_differently_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        envelope.parse(data)


def test_the_size_limit_is_exact() -> None:
    text = json.dumps(GOOD).encode()
    assert envelope.parse(text + b" " * (MAX_BYTES - len(text))).payload == b"hello world"
    with pytest.raises(ValueError, match="more than 1,048,576 bytes"):
        envelope.parse(text + b" " * (MAX_BYTES - len(text) + 1))


def test_sixteen_signatures_are_allowed() -> None:
    signatures = [{"keyid": str(number), "sig": ""} for number in range(MAX_SIGNATURES)]
    assert len(parse(changed(signatures=signatures)).signatures) == MAX_SIGNATURES


@given(st.binary(max_size=200))
@EXAMPLES
def test_any_bytes_are_an_envelope_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        envelope.parse(data)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_character_is_refused_on_reading(text: str) -> None:
    """JSON can escape a lone surrogate, which no canonical file can hold and no signature can cover."""
    for fields in (changed(payloadType=text), changed(signatures=[{"keyid": text, "sig": "QQ=="}])):
        with pytest.raises(ValueError, match=r"\w"):
            parse(fields)
