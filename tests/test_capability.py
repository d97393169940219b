"""Capabilities: every answer against a naive one that lists a small universe and counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec.capability import check_question, covers, has, parts
from nodespec.errors import UsageError

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)

VERBS = ("memory", "mem")
SEGMENTS = ("a", "ab", "b")
DEPTH = 4
"""Patterns have at most two segments, so four levels hold a capability inside and one outside of each."""

UNIVERSE = frozenset(
    f"{verb}:{'/'.join(segments)}"
    for verb in VERBS
    for depth in range(1, DEPTH + 1)
    for segments in itertools.product(SEGMENTS, repeat=depth)
)


def meaning(pattern: str) -> frozenset[str]:
    """Return the capabilities of the universe that a pattern with a verb stands for, by their spelling alone."""
    if pattern.endswith("*"):
        below = pattern[:-1]
        return frozenset(name for name in UNIVERSE if name.startswith(below) and name != below)
    return frozenset([pattern]) & UNIVERSE


def allowed(allow: list[str], deny: list[str]) -> frozenset[str]:
    """Return what is in some allow pattern and in no deny pattern."""
    granted = frozenset().union(*map(meaning, allow))
    return granted - frozenset().union(*map(meaning, deny))


def spelled(verb: str, segments: tuple[str, ...], wide: bool) -> str:
    return f"{verb}:{'/'.join((*segments, '*') if wide else segments)}"


SHORT = [segments for depth in range(1, 3) for segments in itertools.product(SEGMENTS, repeat=depth)]
PATTERNS = sorted(
    [spelled(verb, segments, wide) for verb in VERBS for segments in SHORT for wide in (False, True)]
    + [f"{verb}:*" for verb in VERBS]
)
CONCRETE = sorted(name for name in UNIVERSE if name.count("/") < 3)

patterns = st.lists(st.sampled_from(PATTERNS), max_size=4)


def test_the_universe_is_large_enough_to_tell_every_two_patterns_apart() -> None:
    assert len({meaning(pattern) for pattern in PATTERNS}) == len(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_covers_another_when_its_set_holds_the_other_set(pattern: str) -> None:
    for other in [*PATTERNS, *CONCRETE]:
        assert covers(pattern, other) == (meaning(pattern) >= meaning(other)), (pattern, other)


@given(patterns, patterns)
@EXAMPLES
def test_a_node_has_what_is_allowed_and_not_denied(allow: list[str], deny: list[str]) -> None:
    expected = allowed(allow, deny)
    assert {name for name in UNIVERSE if has(allow, deny, name)} == expected


@given(patterns, patterns)
@EXAMPLES
def test_a_question_without_a_verb_is_asked_of_every_verb(allow: list[str], deny: list[str]) -> None:
    expected = {name.partition(":")[2] for name in allowed(allow, deny)}
    asked = {name.partition(":")[2] for name in UNIVERSE}
    assert {name for name in asked if has(allow, deny, name)} == expected


@given(patterns, patterns, st.sampled_from(PATTERNS), st.booleans())
@EXAMPLES
def test_a_wide_question_asks_whether_some_allow_meets_it_that_no_deny_wholly_covers(
    allow: list[str], deny: list[str], question: str, with_verb: bool
) -> None:
    asked = meaning(question)
    if not with_verb:
        rest = question.partition(":")[2]
        question = rest
        asked = frozenset().union(*(meaning(f"{verb}:{rest}") for verb in VERBS))
    meetings = [meaning(pattern) & asked for pattern in allow]
    expected = any(meeting and not any(meeting <= meaning(no) for no in deny) for meeting in meetings)
    assert has(allow, deny, question) == expected


@given(patterns, patterns, st.sampled_from(PATTERNS))
@EXAMPLES
def test_a_wide_question_is_never_denied_to_a_node_that_has_something_there(
    allow: list[str], deny: list[str], question: str
) -> None:
    """The short answer may say yes too often (many small denials that add up), and no never wrongly."""
    if allowed(allow, deny) & meaning(question):
        assert has(allow, deny, question)


@given(patterns, patterns, st.sampled_from(PATTERNS))
@EXAMPLES
def test_more_denials_never_give_more(allow: list[str], deny: list[str], denied: str) -> None:
    for name in CONCRETE:
        assert has(allow, deny, name) or not has(allow, [*deny, denied], name)


@given(patterns, patterns)
@EXAMPLES
def test_the_order_of_patterns_does_not_matter(allow: list[str], deny: list[str]) -> None:
    for name in CONCRETE:
        assert has(allow, deny, name) == has(allow[::-1], deny[::-1], name)


@pytest.mark.parametrize(
    ("pattern", "question", "answer"),
    [
        ("memory:read", "memory:read", True),
        ("memory:read", "read", True),
        ("memory:reader", "memory:read", False),
        ("memory:read", "memory:reader", False),
        ("memory:read", "memory:rea", False),
        ("memory:read/*", "memory:read", False),
        ("memory:read/*", "memory:read/episodic", True),
        ("memory:read/*", "memory:read/episodic/today", True),
        ("memory:read/*", "memory:reader/episodic", False),
        ("memory:read/episodic", "memory:read/*", True),
        ("memory:read", "memory:read/*", False),
        ("memory:*", "memory:read", True),
        ("memory:*", "memories:read", False),
        ("memory:*", "*", True),
        ("memory:read/*", "read/*", True),
        ("memory:read/*", "read", False),
        ("memory:read/*", "memory:*", True),
        ("memory:read/*", "mem:read/x", False),
    ],
)
def test_matching_is_by_whole_segments(pattern: str, question: str, answer: bool) -> None:
    assert has([pattern], [], question) is answer


def test_nothing_is_allowed_without_an_allow_pattern_and_deny_wins() -> None:
    assert not has([], [], "memory:read")
    assert not has([], ["memory:*"], "memory:read")
    assert not has(["memory:read"], ["memory:read"], "memory:read")
    assert not has(["memory:read"], ["memory:*"], "*")


@pytest.mark.parametrize("question", ["memory:read", "read", "read/episodic", "memory:*", "*", "read/*", "m-1:a_b/0/*"])
def test_a_question_is_returned_as_it_was_asked(question: str) -> None:
    assert check_question(question) == question


@pytest.mark.parametrize(
    "question",
    [
        *["", " ", ":", "memory:", ":read", "memory:read:x", "memory:/read", "read/", "/read", "read//x", "read/*/x"],
        *["**", "re*", "*read", "*/read", "memory:read*", "Memory:read", "memory:Read", "read\n", "memory:read\n"],
        *["read episodic", "-read", "read-", "1memory:read", "*:read", "a" * 64, "é", "../x", "read/.", "%", "read/%"],
    ],
)
def test_what_is_no_question_is_refused_with_advice(question: str) -> None:
    with pytest.raises(UsageError, match="is not a capability") as refusal:
        check_question(question)
    assert "verb:segment/segment" in refusal.value.hint


def test_a_text_is_split_into_verb_segments_and_width() -> None:
    assert parts("memory:read/a") == ("memory", ("read", "a"), False)
    assert parts("memory:read/*") == ("memory", ("read",), True)
    assert parts("memory:*") == ("memory", (), True)
    assert parts("read") == ("", ("read",), False)
    assert parts("*") == ("", (), True)
