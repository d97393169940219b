"""Bytes that have one meaning: canonical JSON, strict JSON, base64, hex, and text that is safe to print."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec.encoding import (
    MAX_DEPTH,
    MAX_QUOTED,
    b64decode,
    b64encode,
    canonical_json,
    printable,
    quoted,
    strict_json,
)

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)

values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


# Canonical JSON.


def test_the_example_of_rfc_8785_holds() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_keys_are_sorted_as_utf_16() -> None:
    value = dict.fromkeys(["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"], 0)
    assert list(json.loads(canonical_json(value))) == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(values)
@EXAMPLES
def test_canonical_json_means_the_same_and_does_not_change_again(value: Any) -> None:
    data = canonical_json(value)
    assert strict_json(data) == value
    assert canonical_json(strict_json(data)) == data


@given(st.dictionaries(st.text(), st.integers(0, 9), max_size=6), st.randoms(use_true_random=False))
@EXAMPLES
def test_the_order_of_keys_does_not_matter(value: dict[str, int], dice: Any) -> None:
    pairs = list(value.items())
    dice.shuffle(pairs)
    assert canonical_json(dict(pairs)) == canonical_json(value)


# Strict JSON.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1, "a": 2}', 'duplicate key "a"'),
        (b'{"a": 1, "\\u0061": 2}', 'duplicate key "a"'),
        (b'[{"x": {"b": 1, "b": 1}}]', 'duplicate key "b"'),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": "\xff"}', r"not UTF-8 \(byte 7\)"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"", "it is empty"),
        (b"{}{}", "Extra data"),
        (b"{'a': 1}", "double quotes"),
        (b'{"a": 1,}', "double quotes|trailing comma"),
        (b"[01]", "delimiter"),
        (b"[1.]", "delimiter"),
        (b"[+1]", "Expecting value"),
        (b'["\n"]', "control character"),
        (b"[1] # x", "Extra data"),
        (b"[1e999]", "finite|not JSON|range"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_json_with_two_meanings_or_none_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        strict_json(data)


@given(st.binary(max_size=100))
@EXAMPLES
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        strict_json(data)
    except ValueError:
        return


def test_a_long_number_is_a_value_error_and_not_a_long_wait() -> None:
    with pytest.raises(ValueError, match="digit"):
        strict_json(b"9" * 100_000)


# Base64.


@given(st.binary(max_size=100))
@EXAMPLES
def test_bytes_come_back_from_base64(data: bytes) -> None:
    assert b64decode(b64encode(data)) == data


@pytest.mark.parametrize(
    "text",
    ["QQ", "QQ=", "QR==", "QUJ=", "QQ==\n", " QQ==", "Q Q==", "QQ==QQ==", "Q-_=", "====", "=", "é", "QQ==\0"],
)
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64decode(text)


def test_of_all_two_letter_spellings_each_byte_has_one() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    good = []
    for one in letters:
        for two in letters:
            try:
                good.append(b64decode(f"{one}{two}=="))
            except ValueError:
                continue
    assert sorted(good) == [bytes([number]) for number in range(256)]


# Text in messages.


def test_what_could_forge_a_line_is_escaped() -> None:
    assert printable("a\nb\r\t\x1b[2J\x7f\x9b") == "a\\x0ab\\x0d\\x09\\x1b[2J\\x7f\\x9b"
    assert printable("\u202e\u2066\u200b\ufeff\u2028\u061c") == "\\u202e\\u2066\\u200b\\ufeff\\u2028\\u061c"
    assert printable("\udcff") == "\\udcff"
    assert printable("naïve Größe 漢字 🦊") == "naïve Größe 漢字 🦊"


@given(st.text(st.characters()))
@EXAMPLES
def test_text_in_a_message_stays_on_its_line_and_can_be_encoded(text: str) -> None:
    for shown in (printable(text), quoted(text)):
        assert len(shown.splitlines()) <= 1
        assert shown.encode("utf-8").decode("utf-8") == shown
        assert not any(letter in shown for letter in "\x1b\u202e\u200b\x00\x9b")


def test_a_long_text_is_cut_and_a_container_is_only_named() -> None:
    assert quoted("x" * MAX_QUOTED) == '"' + "x" * MAX_QUOTED + '"'
    assert quoted("x" * (MAX_QUOTED + 1)) == '"' + "x" * (MAX_QUOTED - 1) + '…"'
    assert quoted({"password": "secret"}) == "a mapping"
    assert quoted(["secret"]) == "a list"
    assert quoted('a"b') == '"a\\"b"'


@pytest.mark.parametrize(("value", "shown"), [(None, "null"), (True, "true"), (False, "false"), (1, "1"), (0.5, "0.5")])
def test_a_value_is_shown_as_yaml_writes_it(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_number_of_many_digits_is_cut() -> None:
    assert len(quoted(10**1000)) <= MAX_QUOTED


def test_json_is_nested_as_deeply_as_any_format_needs_and_no_deeper() -> None:
    assert strict_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert len(strict_json(b"[" + b"[]," * 500 + b"[]]")) == 501
    for depth in (MAX_DEPTH + 1, 700, 100_000):
        for opening, closing in ((b"[", b"]"), (b'{"a":[', b"]}")):
            with pytest.raises(ValueError, match="nested too deeply"):
                strict_json(opening * depth + closing * depth)
