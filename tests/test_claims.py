"""What a signed payload may say: each reader takes what its writer writes, and names what it refuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import claims

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
EVERYTHING: tuple[Any, ...] = (None, True, False, 0, 1, -1, 1.0, 1.5, "", "x", [], ["x"], {}, {"a": 1})
"""A value of every kind that JSON has."""


def taken(read: Callable[[Any], Any]) -> list[Any]:
    """The values out of everything that a reader takes."""
    found = []
    for value in EVERYTHING:
        try:
            read(value)
        except ValueError:
            continue
        found.append(value)
    return found


def test_each_reader_takes_its_own_kind_and_no_other() -> None:
    handle, digest = "GLYMPH:" + "ab" * 32, "ab" * 32
    kinds: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
        "members": (lambda value: claims.members(value, ("a",), "it"), [{"a": 1}]),
        "items": (lambda value: claims.items(value, "it"), [[], ["x"]]),
        "text": (lambda value: claims.text(value, "it"), ["", "x"]),
        "title": (lambda value: claims.title(value, "it"), ["x"]),
        "one_of": (lambda value: claims.one_of(value, ("x", "y"), "it"), ["x"]),
        "words": (lambda value: claims.words(value, ("x", "y"), "it"), [[], ["x"]]),
        "count": (lambda value: claims.count(value, "it"), [0, 1]),
        "digest": (lambda value: claims.digest(value, "it"), []),
        "handle": (lambda value: claims.handle(value, "it"), []),
        "moment": (lambda value: claims.parse_moment(value, "it"), []),
    }
    for name, (read, expected) in kinds.items():
        found = taken(read)
        assert (name, [repr(value) for value in found]) == (name, [repr(value) for value in expected])
    assert claims.digest(digest, "it") == digest
    assert claims.handle(handle, "it") == handle


def test_what_is_refused_is_named() -> None:
    refusals: list[tuple[Callable[[], Any], str]] = [
        (lambda: claims.members([], ("a", "b"), "the record"), "the record must be an object with the keys a, b"),
        (lambda: claims.items([1] * 3, "keys", least=1, most=2), "keys must be a list of 1 to 2 items"),
        (lambda: claims.text(7, "payload"), "payload must be text, not 7"),
        (lambda: claims.title(" x", "name"), 'name must be 1 to 200 printable characters, not " x"'),
        (lambda: claims.one_of("z", ("x", "y"), "lane"), 'lane must be one of x, y, not "z"'),
        (lambda: claims.words(["y", "x"], ("x", "y"), "lanes"), "lanes must name each word once, in the order x, y"),
        (lambda: claims.count(10, "tier", most=7), "tier must be a whole number from 0 to 7, not 10"),
        (lambda: claims.digest("AB", "sha256"), 'sha256 must be 64 lower-case hex digits, not "AB"'),
        (lambda: claims.handle("Ada", "owner"), 'owner must be GLYMPH: and 64 lower-case hex digits, not "Ada"'),
        (
            lambda: claims.parse_moment("now", "expires"),
            'expires must be a moment such as 2026-03-14T09:26:53Z, not "now"',
        ),
    ]
    for read, reason in refusals:
        with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
            read()


# Objects and lists.


def test_an_object_has_exactly_its_keys() -> None:
    good = {"a": 1, "b": None}
    assert claims.members(good, ("b", "a"), "it") == good
    cases = [
        ({"a": 1}, "; missing: b"),
        ({**good, "c": 1}, "; unknown: c"),
        ({"a": 1, "c": 1, "d": 1}, "; unknown: c, d; missing: b"),
        ({}, "; missing: a, b"),
    ]
    for value, reason in cases:
        with pytest.raises(ValueError, match=f"it must have exactly the keys a, b{re.escape(reason)}$"):
            claims.members(value, ("a", "b"), "it")


def test_the_name_of_an_unknown_key_cannot_forge_a_message() -> None:
    with pytest.raises(ValueError, match="unknown") as refusal:
        claims.members({"\x1b[31m\n\u202e": 1}, ("a",), "it")
    assert str(refusal.value).isprintable()
    with pytest.raises(ValueError, match="unknown") as refusal:
        claims.members({"x" * 10_000: 1}, ("a",), "it")
    assert len(str(refusal.value)) < 200


def test_the_limits_of_a_list_are_exact() -> None:
    for length in range(5):
        value = ["x"] * length
        if 1 <= length <= 3:
            assert claims.items(value, "it", least=1, most=3) == value
        else:
            with pytest.raises(ValueError, match="it must be a list of 1 to 3 items"):
                claims.items(value, "it", least=1, most=3)
    assert claims.items([0] * 10_000, "it")
    with pytest.raises(ValueError, match="a list of 0 to 10,000 items"):
        claims.items([0] * 10_001, "it")


def test_words_are_read_in_one_order_only() -> None:
    """Every list of up to three words over three choices."""
    choices = ("a", "b", "c")
    lists: list[list[str]] = [[]]
    for _ in range(3):
        lists += [[*words, word] for words in lists for word in choices if [*words, word] not in lists]
    read = []
    for words in lists:
        try:
            read.append(list(claims.words(words, choices, "it")))
        except ValueError:
            continue
        assert read[-1] == words
    subsets = [[], ["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a", "b", "c"]]
    assert sorted(read) == sorted(subsets)
    with pytest.raises(ValueError, match="it must be a list of 1 to"):
        claims.words([], choices, "it", least=1)


# Texts.


@pytest.mark.parametrize("text", ["a", "a" * 200, "Ada & Söhne", "愛", "a b", "🜂"])
def test_a_title_is_what_people_can_read(text: str) -> None:
    assert claims.title(text, "name") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " a",
        "a ",
        "\ta",
        "a\n",
        "a\u00a0",
        "a" * 201,
        "a\0",
        "a\x7f",
        "a\x1b[1m",
        "\u202ea",
        "a\u200bb",
        "a\u2028b",
    ],
)
def test_a_title_hides_nothing(text: str) -> None:
    assert claims.text(text, "name") == text
    with pytest.raises(ValueError, match="name must be 1 to 200 printable characters"):
        claims.title(text, "name")


def test_a_digest_is_lower_case_hex_of_its_length() -> None:
    for digits in (32, 64):
        assert claims.digest("0f" * (digits // 2), "it", digits=digits)
        for wrong in ("0F" * (digits // 2), "0f" * (digits // 2) + "0", "0f" * (digits // 2 - 1), "0g" * (digits // 2)):
            with pytest.raises(ValueError, match=f"it must be {digits} lower-case hex digits"):
                claims.digest(wrong, "it", digits=digits)
    for wrong in ("0" * 63 + "\n", "0" * 63 + "٣", "0x" + "0" * 62):
        with pytest.raises(ValueError, match="lower-case hex digits"):
            claims.digest(wrong, "it")


def test_a_handle_has_one_spelling() -> None:
    good = "GLYMPH:" + "0f" * 32
    assert claims.handle(good, "it") == good
    for wrong in (
        good.lower(),
        "GLYMPH:" + "0F" * 32,
        good[:-1],
        good + "0",
        good + "\n",
        " " + good,
        good[7:],
        "GLYMPH:",
    ):
        with pytest.raises(ValueError, match="it must be GLYMPH: and 64 lower-case hex digits"):
            claims.handle(wrong, "it")


# Numbers.


def test_the_limits_of_a_number_are_exact() -> None:
    for value in range(-2, 12):
        if 3 <= value <= 7:
            assert claims.count(value, "it", least=3, most=7) == value
        else:
            with pytest.raises(ValueError, match="it must be a whole number from 3 to 7"):
                claims.count(value, "it", least=3, most=7)
    assert claims.count(2**53 - 1, "it") == 2**53 - 1
    for wrong in (2**53, 10**5000, 1.0, True):
        with pytest.raises(ValueError, match=r"it must be a whole number from 0 to 9,007,199,254,740,991") as refusal:
            claims.count(wrong, "it")
        assert len(str(refusal.value)) < 200


# Moments.


@given(st.datetimes(timezones=st.just(UTC)))
@EXAMPLES
def test_a_moment_comes_back_to_the_second(value: datetime) -> None:
    assert claims.parse_moment(claims.moment(value)) == value.replace(microsecond=0)


def test_a_moment_is_written_in_utc() -> None:
    value = datetime(2026, 3, 14, 9, 26, 53, 589_793, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))
    assert claims.moment(value) == "2026-03-14T14:56:53Z"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T12:00:00Z"])
def test_a_moment_has_one_spelling(text: str) -> None:
    assert claims.moment(claims.parse_moment(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-14",
        "2026-03-14T09:26:53",
        "2026-03-14T09:26:53z",
        "2026-03-14t09:26:53Z",
        "2026-03-14 09:26:53Z",
        "2026-03-14T09:26Z",
        "2026-03-14T09:26:53.0Z",
        "2026-03-14T09:26:53+00:00",
        "2026-3-14T09:26:53Z",
        "+2026-03-14T09:26:53Z",
        "2026-W11-6T09:26:53Z",
        "20260314T092653Z",
        "2026-03-14T09:26:53Z\n",
        " 2026-03-14T09:26:53Z",
        "２０２６-03-14T09:26:53Z",
        "0000-01-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-03-14T25:00:00Z",
        "2026-03-14T09:60:00Z",
        "2026-03-14T23:59:60Z",
    ],
)
def test_any_other_spelling_of_a_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expires must be a moment such as 2026-03-14T09:26:53Z"):
        claims.parse_moment(text, "expires")
