"""Source positions inside a YAML scalar: an expression's line and column to the file's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.finding import START, Span

if TYPE_CHECKING:
    from nodespec.document import Document
    from nodespec.finding import KeyPath


def within_scalar(data: bytes, text: Document | None, at: KeyPath, line: int, column: int) -> Span:
    r"""Return where ``line`` and ``column`` (from 1) of the text at a key path stand; the scalar where it is unsure.

    Plain and quoted scalars on one line and texts after ``|`` or ``>`` are exact; any other is shown where it begins.

    >>> from nodespec import document
    >>> data = b"a: >-\n  x &&\n  oops\nb: 'it''s'\n"
    >>> parsed = document.parse(data)
    >>> [(p.line, p.column) for p in (within_scalar(data, parsed, (k,), 1, c) for k, c in (("a", 6), ("b", 4)))]
    [(3, 3), (4, 9)]
    """
    if text is None or text.value is None:
        return START
    span = text.locate(at)
    lines = data.decode("utf-8").split("\n")
    first = lines[span.line - 1][span.column - 1 :]
    if line < 1 or column < 1 or not first:
        return span
    if first[0] in "|>":
        return _in_block(lines, span, first[0], line, column)
    if span.width == 1 and len(first) > 1:  # it goes on below
        return span
    if line > 1:
        return span
    return _on_line(first[: span.width], span, column)


def _on_line(raw: str, span: Span, column: int) -> Span:
    quote = raw[0] if raw[0] in "'\"" else ""
    place = len(quote)
    for _ in range(column - 1):
        place += _step(raw[place : place + 2], quote)
    if place >= len(raw):  # at the end of the text: the last character is what can be shown
        place = len(raw) - 1
    return Span(line=span.line, column=span.column + place)


def _step(pair: str, quote: str) -> int:
    """Return how many characters of the file the next character of the text takes; all others are escapes of one."""
    return 2 if (quote == "'" and pair == "''") or (quote == '"' and pair.startswith("\\")) else 1


def _in_block(lines: list[str], span: Span, sign: str, line: int, column: int) -> Span:
    row = span.line  # the line below the sign, from 0
    indent = len(lines[row]) - len(lines[row].lstrip(" ")) if row < len(lines) else 0
    if sign == "|":
        row += line - 1
    elif any(not text.strip() or text[indent : indent + 1] == " " for text in _block(lines, row, indent)):
        return span  # paragraphs and deeper lines are folded by rules of their own
    else:
        while row + 1 < len(lines) and column > len(lines[row]) - indent + 1:
            column -= len(lines[row]) - indent + 1
            row += 1
    if row >= len(lines) or column > len(lines[row]) - indent + 1:
        return span
    return Span(line=row + 1, column=indent + column)


def _block(lines: list[str], row: int, indent: int) -> list[str]:
    end = row
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" " * indent)):
        end += 1
    while end > row and not lines[end - 1].strip():
        end -= 1
    return lines[row:end]
