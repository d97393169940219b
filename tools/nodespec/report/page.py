"""What the gate says of a pull request, as a page of Markdown: a step summary, or a comment.

Everything that comes from a pull request is written letter by letter, as character references where Markdown could
see more in it: it can neither close a table, nor link, nor call somebody by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodespec.encoding import counted, printable
from nodespec.report.changes import versions
from nodespec.report.gate_text import closing, notices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.gate import Judgement
    from nodespec.scorecard import Gate

MOST = 200
"""Findings and nodes that are shown."""

MOST_BYTES = 900_000
"""Bytes of a page; a step summary may have 1 MiB (GitHub Actions limits)."""

_PLAIN = re.compile(r"[^A-Za-z0-9 .,:;/=→…-]|:(?=//)|(?<=www)\.|(?<=gh)-", re.IGNORECASE)
"""What Markdown may see more in; GitHub makes links of bare addresses, too, and of ``GH-1``."""


def to_markdown(judgement: Judgement, gates: Sequence[Gate]) -> str:
    """Return the page, cut where it becomes too long for a host to show."""
    lines, left = [], MOST_BYTES
    for line in _page(judgement, gates):
        left -= len(line.encode()) + 1
        if left < 0:
            whole = f"{counted(len(judgement.report.findings), 'finding')}, {counted(len(judgement.nodes), 'change')}"
            lines += ["", f"… and more: this page is as long as a host shows. In all: {whole}."]
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def to_markdown_error(message: str, hint: str) -> str:
    """Return a page which says that nothing could be judged, and why."""
    told = [f"**Could not judge:** {_text(message)}", *([_text(hint)] if hint else [])]
    return "\n\n".join(["## Registry gate", *told]) + "\n"


def _page(judgement: Judgement, gates: Sequence[Gate]) -> Iterator[str]:
    report = judgement.report
    yield "## Registry gate"
    yield ""
    yield from (_text(line) + "  " for line in closing(judgement).splitlines())
    yield ""
    yield "| gate | | result | |"
    yield "|---:|---|---|---|"
    for gate in gates:
        yield f"| {gate.number} | {gate.name} | {gate.status} | {_text(gate.words)} |"
    if report.findings:
        yield from ("", "### Findings", "", "| | where | what is wrong | what to do |", "|---|---|---|---|")
        for item in report.findings[:MOST]:
            where = f"{item.path}:{item.line}:{item.column}"
            yield f"| **{item.code}** {item.severity} | {_text(where)} | {_text(item.message)} | {_text(item.fix)} |"
        if len(report.findings) > MOST:
            yield from ("", f"… and {counted(len(report.findings) - MOST, 'more finding')}.")
    if judgement.nodes:
        yield from ("", "### What changes", "")
        for change in judgement.nodes[:MOST]:
            yield f"- {change.kind}: **{_text(change.id)}** ({_text(versions(change))})"
            for field in change.fields:
                if field.field != "metadata.version":
                    yield f"  - {_text(field.words)}"
        if len(judgement.nodes) > MOST:
            yield f"- … and {counted(len(judgement.nodes) - MOST, 'more node')}"
    told = notices(judgement)
    if told:
        yield from ("", "### Who else is concerned", "")
        yield from (f"- {_text(line)}" for line in told[:MOST])


def _text(text: str) -> str:
    r"""Return a text that Markdown takes letter by letter.

    >>> _text("a|b @ada")
    'a&#124;b &#64;ada'
    """
    return _PLAIN.sub(lambda match: f"&#{ord(match.group())};", printable(text))
