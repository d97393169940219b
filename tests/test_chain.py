"""Chains: files in order without a gap, each a record that names its number and the one before."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from nodespec import chain
from nodespec.chain import ANY, MAX_NUMBER, BrokenChainError, Link
from nodespec.envelope import Envelope
from nodespec.keys import generate
from tests.attacks.tampering import OTHER_SPELLINGS, written
from tests.society import digest_of, sealed

FOLDER = "registry/trust/"
KIND = "application/vnd.nodespec.test+json"
KEY = generate("ed25519")


def file_of(value: Any) -> bytes:
    return sealed(KIND, written(value), KEY)


def laid(*numbers: int) -> list[tuple[str, bytes]]:
    return [(chain.record_path(FOLDER, number), file_of({"number": number})) for number in numbers]


def broken(files: list[tuple[str, bytes]], reason: str, *, first: int = 1) -> str:
    with pytest.raises(BrokenChainError, match=reason) as refusal:
        chain.links(files, FOLDER, KIND, first=first)
    return refusal.value.path


def test_a_record_s_file_has_four_digits() -> None:
    assert chain.record_path(FOLDER, 0) == "registry/trust/0000.dsse.json"
    assert chain.record_path(FOLDER, MAX_NUMBER) == "registry/trust/9999.dsse.json"


@pytest.mark.parametrize("first", [0, 1])
def test_files_are_read_in_order_from_the_first(first: int) -> None:
    found = chain.links(laid(*range(first, first + 4)), FOLDER, KIND, first=first)
    assert [link.number for link in found] == list(range(first, first + 4))
    assert [link.envelope.payload for link in found] == [written({"number": link.number}) for link in found]
    assert chain.links([], FOLDER, KIND, first=first) == []


def test_every_gap_is_found_where_it_is() -> None:
    """Every choice out of five numbers: only those without a gap from 1 on are a chain."""
    for count in range(1, 6):
        for numbers in combinations(range(1, 6), count):
            if numbers == tuple(range(1, count + 1)):
                assert len(chain.links(laid(*numbers), FOLDER, KIND, first=1)) == count
            else:
                expected, found = next(pair for pair in enumerate(numbers, 1) if pair[0] != pair[1])
                reason = f"the chain has a gap: {chain.record_path(FOLDER, expected)} should come before"
                assert broken(laid(*numbers), reason) == chain.record_path(FOLDER, found)


@pytest.mark.parametrize(
    "name", ["1.dsse.json", "00001.dsse.json", "0001.json", "0001.DSSE.json", "sub/0001.dsse.json"]
)
def test_a_record_s_file_has_one_name(name: str) -> None:
    ((_, data),) = laid(1)
    assert chain.links([(f"{FOLDER}0001.dsse.json", data)], FOLDER, KIND, first=1)
    assert broken([(FOLDER + name, data)], "a file that is no record stands among the records") == FOLDER + name


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff", b"[" * 5000], ids=repr)
def test_what_is_no_signed_envelope_is_no_record(data: bytes) -> None:
    assert chain.links(laid(1), FOLDER, KIND, first=1)
    assert broken([(chain.record_path(FOLDER, 1), data)], "not a signed record: ")


def test_a_record_of_another_kind_is_none() -> None:
    files = laid(1)
    assert chain.links(files, FOLDER, KIND, first=1)
    with pytest.raises(BrokenChainError, match="its payload type is"):
        chain.links(files, FOLDER, "application/json", first=1)


def test_a_record_s_file_has_one_spelling() -> None:
    ((path, data),) = laid(1)
    for other in (data[:-1], data + b"\n", data.replace(b":", b": ", 1)):
        assert broken([(path, other)], "not written canonically") == path


# What a record holds.

BEFORE = Link(path="", number=1, envelope=Envelope(payload_type=KIND, payload=b"before", signatures=()))


def link(payload: bytes, number: int = 2) -> Link:
    return Link(path="", number=number, envelope=Envelope(payload_type=KIND, payload=payload, signatures=()))


def fields(value: Any, previous: str | None = digest_of(b"before")) -> dict[str, Any]:
    return chain.fields(link(written(value)), ("colour", "size"), "number", previous)


GOOD = {"number": 2, "previous": digest_of(b"before"), "colour": "a/b", "size": 1}


def test_a_record_names_its_number_and_the_one_before() -> None:
    assert chain.digest_of(BEFORE) == digest_of(b"before")
    assert chain.digest_of(None) is None
    assert fields(GOOD) == GOOD
    for wrong in (1, 3, 0, -1, 2.5, "2", True, None, MAX_NUMBER + 1):
        with pytest.raises(ValueError, match="number"):
            fields({**GOOD, "number": wrong})
    for wrong in (None, "", digest_of(b"other"), digest_of(b"before").upper(), 0, [], "any"):
        with pytest.raises(ValueError, match="its previous is not the SHA-256 of the record before"):
            fields({**GOOD, "previous": wrong})


def test_the_first_record_names_none() -> None:
    assert fields({**GOOD, "previous": None}, None)
    with pytest.raises(ValueError, match="its previous is not null"):
        fields(GOOD, None)


def test_a_record_can_be_read_without_the_one_before() -> None:
    for previous in (GOOD["previous"], "ab" * 32, None):
        assert fields({**GOOD, "previous": previous}, ANY)["previous"] == previous


def test_a_record_has_exactly_its_keys() -> None:
    for key in GOOD:
        with pytest.raises(ValueError, match=f"missing: {key}"):
            fields({name: value for name, value in GOOD.items() if name != key})
    with pytest.raises(ValueError, match="unknown: note"):
        fields({**GOOD, "note": ""})


@pytest.mark.parametrize("how", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_a_record_has_one_spelling(how: Any) -> None:
    payload = written(GOOD)
    assert how(payload) != payload
    with pytest.raises(ValueError, match=r"\w"):
        chain.fields(link(how(payload)), ("colour", "size"), "number", digest_of(b"before"))


def test_a_record_beyond_four_digits_is_refused() -> None:
    last = link(written({**GOOD, "number": MAX_NUMBER}), MAX_NUMBER)
    assert chain.fields(last, ("colour", "size"), "number", ANY)["number"] == MAX_NUMBER
    beyond = replace(last, number=MAX_NUMBER + 1, envelope=link(written({**GOOD, "number": MAX_NUMBER + 1})).envelope)
    with pytest.raises(ValueError, match="number must be a whole number from 0 to 9,999"):
        chain.fields(beyond, ("colour", "size"), "number", ANY)
