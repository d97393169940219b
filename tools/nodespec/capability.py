"""Capabilities: what a node may do, as ``verb:segment/segment``.

A **pattern** stands in a policy: ``read:memory/episodic`` means exactly that, ``read:memory/*`` means
everything below ``read:memory`` (and not ``read:memory`` itself), ``read:*`` means everything of the
verb. A **question** is asked of a node: ``read:memory/episodic``, or without the verb
``memory/episodic`` (any verb), or with a final ``/*`` (anything below).

Matching is by whole segments, never by substring: ``memory`` is not ``memories``. A node has a capability
when an allow pattern covers it and no deny pattern does. A question with ``*`` asks whether the node
is allowed anything there: some allow pattern meets it that no deny pattern wholly covers.

>>> has(["read:memory/*"], ["read:memory/private/*"], "read:memory/episodic")
True
>>> has(["read:memory/*"], ["read:memory/private/*"], "read:memory/private/diary")
False
>>> has(["read:memory/*"], [], "memory/episodic"), has(["read:memory/*"], [], "read:mem")
(True, False)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nodespec.encoding import quoted
from nodespec.errors import UsageError
from nodespec.tree import SEGMENT_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

Parts = tuple[str, tuple[str, ...], bool]
"""Verb, segments, and whether it ends in ``*`` (anything below)."""

_QUESTION = re.compile(rf"(?:[a-z][a-z0-9_-]{{0,31}}:)?(?:\*|{SEGMENT_PATTERN}(?:/{SEGMENT_PATTERN})*(?:/\*)?)\Z")


@lru_cache(maxsize=1024)
def parts(text: str) -> Parts:
    """Split a pattern or a question; an absent verb is the empty text. Remembered: nodes share their capabilities."""
    verb, colon, rest = text.partition(":")
    if not colon:
        verb, rest = "", text
    segments = tuple(rest.split("/"))
    return (verb, segments[:-1], True) if segments[-1] == "*" else (verb, segments, False)


def check_question(text: str) -> str:
    """Return ``text``, or raise ``UsageError`` when it is not a question about capabilities."""
    if not _QUESTION.match(text):
        hint = "write it as verb:segment/segment, for example read:memory/episodic, read:* or memory/*"
        raise UsageError(f"{quoted(text)} is not a capability", hint=hint)
    return text


def covers(pattern: str, other: str) -> bool:
    """Say whether everything that ``other`` stands for is within ``pattern``.

    >>> covers("read:memory/*", "read:memory/a/b"), covers("read:memory/a", "read:memory/*")
    (True, False)
    """
    verb, segments, wide = parts(pattern)
    other_verb, other_segments, other_wide = parts(other)
    if verb != other_verb:
        return False
    if not wide:
        return segments == other_segments and not other_wide
    inside = other_segments[: len(segments)] == segments
    return inside and (len(other_segments) > len(segments) or other_wide)


def has(allow: Iterable[str], deny: Iterable[str], question: str) -> bool:
    """Say whether a node with these patterns has the capability that ``question`` names."""
    denied = list(deny)
    for pattern in allow:
        meeting = _meeting(pattern, question)
        if meeting is not None and not any(covers(no, meeting) for no in denied):
            return True
    return False


def _meeting(pattern: str, question: str) -> str | None:
    """Return the narrower of the two where pattern and question overlap, with the verb filled in."""
    verb = parts(pattern)[0]
    asked_verb, asked_segments, asked_wide = parts(question)
    if asked_verb not in ("", verb):
        return None
    asked = f"{verb}:{'/'.join((*asked_segments, '*') if asked_wide else asked_segments)}"
    if covers(pattern, asked):
        return asked
    return pattern if asked_wide and covers(asked, pattern) else None
