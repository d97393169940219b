"""Findings: what is wrong with the input, where, and what to do.

A finding is a value. Rules produce :class:`Hit` (a key path and a sentence); the judge turns
each into a :class:`Finding` once, when the line and column are known.
"""

from __future__ import annotations

from typing import Literal

from nodespec.frozen import frozen

Severity = Literal["error", "warning"]

KeyPath = tuple[str | int, ...]
"""Where in a document: keys and 0-based list positions, outermost first."""


@frozen
class Span:
    """A place in a text: ``line`` and ``column`` from 1, in characters; ``width`` characters on that line."""

    line: int = 1
    column: int = 1
    width: int = 1


START = Span()


@frozen
class Hit:
    """A rule's raw answer.

    One of ``at`` (a key path; ``on_key`` points at the key instead of its value) and ``span`` says
    where; with both, the span is a place inside of what stands at the key path; with neither, the file
    as a whole is meant. ``fix`` replaces the rule's general advice when the rule knows better. ``code``
    is set when the sender is not the rule itself (the loader and the schema find their own violations). ``policy`` is
    the governance policy that speaks, and its rule, as ``NAME/RULE``.
    """

    message: str
    path: str = ""
    at: KeyPath | None = None
    on_key: bool = False
    span: Span | None = None
    fix: str = ""
    code: str = ""
    policy: str = ""


@frozen
class Finding:
    """One thing an author can act on. ``line`` and ``column`` count from 1; ``pointer`` is RFC 6901.

    ``policy`` names the governance policy that says so and its rule, ``NAME/RULE``; it is empty where none does.
    """

    code: str
    slug: str
    severity: Severity
    path: str
    line: int
    column: int
    pointer: str
    message: str
    fix: str
    doc: str
    width: int = 1
    policy: str = ""

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Findings are printed by file, then position, then code."""
        return (self.path, self.line, self.column, self.code, self.message)


def pointer(path: KeyPath) -> str:
    """Return the RFC 6901 JSON pointer of a key path.

    >>> pointer(("signals", "emits", 0, "a/b"))
    '/signals/emits/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def dotted(path: KeyPath) -> str:
    """Return a key path as people say it.

    >>> dotted(("signals", "emits", 0, "name"))
    'signals.emits[0].name'
    """
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words
