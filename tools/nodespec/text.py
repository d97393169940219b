r"""Bytes to text: what is refused before any parser looks.

UTF-8 without a byte-order mark, ``\\n`` line ends, no control characters (a tab is one) and none that hide or
reorder text, at most 65,536 bytes.
"""

from __future__ import annotations

import re

from nodespec.encoding import HIDDEN
from nodespec.finding import START, Span
from nodespec.frozen import frozen

MAX_BYTES = 64 * 1024
"""A NodeSpec of 2 KiB is long; 64 KiB is the size of a line in a transparency log tile (C2SP tlog-tiles)."""

MAX_DEPTH = 32
"""Levels of mappings and lists. The schema needs 7."""

MAX_PROBLEMS = 20
"""A file that is wrong in more places than this is not a spec with mistakes; it is another kind of file."""

_CONTROL = "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]"
SURPRISE = f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{HIDDEN}\ufffe\uffff]"
HIDDEN_CHARACTER = f"[{HIDDEN}\ufffe\uffff]"
"""What a text must not hold, as patterns: compiled for the first text that is not plain (:mod:`re` keeps them)."""
_PLAIN_BYTES = bytes([0x0A, *range(0x20, 0x7F)])
"""Line ends and printable ASCII. What is left when they are taken out is looked at closely."""


@frozen
class Problem:
    """A departure from the profile; ``slug`` names the rule of family F."""

    slug: str
    message: str
    span: Span = START
    fix: str = ""


def problems_of_bytes(data: bytes) -> tuple[Problem, ...]:
    """Return what is wrong with the bytes as text, whatever they say."""
    if len(data) > MAX_BYTES:
        return (too_large(len(data)),)
    if not data.translate(None, _PLAIN_BYTES):
        return ()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        return (Problem(slug="not-utf8", message=message, span=_span_at(before, len(before))),)
    found = []
    if text.startswith("\ufeff"):
        found.append(Problem(slug="byte-order-mark", message="the file begins with a byte-order mark (U+FEFF)"))
    returns = text.count("\r")
    if returns:
        lines = f"{returns} carriage return{'s' if returns > 1 else ''} (U+000D), the first one here; expected \\n"
        found.append(
            Problem(slug="carriage-return", message=f"the file has {lines}", span=_span_at(text, text.index("\r")))
        )
    for slug, pattern in (("control-character", _CONTROL), ("hidden-character", HIDDEN_CHARACTER)):
        found += [
            Problem(
                slug=slug,
                message=f"U+{ord(match.group()):04X} {what_is_wrong(slug)}",
                span=_span_at(text, match.start()),
            )
            for match in re.finditer(pattern, text)
            if not (match.start() == 0 and match.group() == "\ufeff")
        ][:MAX_PROBLEMS]
    return tuple(found)


def what_is_wrong(slug: str) -> str:
    """Say what is wrong with a character, by the slug of its rule."""
    if slug == "control-character":
        return "is a control character; expected printable text"
    return "is invisible and can make the text look like something else"


def too_large(size: int) -> Problem:
    """Return the problem of a file of ``size`` bytes, without reading it."""
    return Problem(slug="too-large", message=f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}")


def _span_at(text: str, offset: int) -> Span:
    line_start = text.rfind("\n", 0, offset) + 1
    return Span(line=text.count("\n", 0, offset) + 1, column=offset - line_start + 1)
