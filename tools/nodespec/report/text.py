"""Findings as text: the source line, a caret, what to do; and the closing lines, which name what did not run."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from nodespec.encoding import counted, printable
from nodespec.rules import FAMILIES
from nodespec.verdict import IGNORED, NOT_RUN, PARTLY, RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.finding import Finding
    from nodespec.verdict import Report

    Paint = Callable[[str, str], str]
    """Colours a text for a purpose: ``error``, ``warning``, ``ok``, ``strong`` or ``dim``."""

    Source = Callable[[str], list[str]]
    """Gives the lines of the file at a path; empty when it cannot be read."""

MAX_EXCERPT = 110
"""Columns of a source line that fit beside the line number on a usual terminal."""


def plain(text: str, _purpose: str) -> str:
    """Paint nothing."""
    return text


def to_text(report: Report, source: Source, paint: Paint = plain) -> str:
    """Return the findings with excerpts, and a summary of what was and was not judged."""
    return "\n".join(filter(None, [findings_text(report, source, paint), summary(report, paint)])) + "\n"


def findings_text(report: Report, source: Source, paint: Paint = plain) -> str:
    """Return the findings with excerpts."""
    return "\n".join(_block(finding, source, paint) for finding in report.findings)


def _block(finding: Finding, source: Source, paint: Paint) -> str:
    kind = paint(f"{finding.severity}[{finding.code}]", finding.severity)
    gutter = " " * len(str(finding.line))
    lines = [
        f"{kind} {paint(finding.slug, 'strong')}: {printable(finding.message)}",
        f"{gutter}{paint('-->', 'dim')} {printable(finding.path)}:{finding.line}:{finding.column}",
    ]
    lines += _excerpt(finding, source(finding.path), gutter, paint)
    lines.append(f"{gutter} {paint('=', 'dim')} fix: {printable(finding.fix)}")
    lines.append(f"{gutter} {paint('=', 'dim')} why: nodespec explain {finding.code}")
    return "\n".join(lines) + "\n"


def _excerpt(finding: Finding, lines: list[str], gutter: str, paint: Paint) -> list[str]:
    if finding.line > len(lines):
        return []
    raw = lines[finding.line - 1]
    start = max(0, finding.column - MAX_EXCERPT // 2) if len(raw) > MAX_EXCERPT else 0
    shown = printable(raw[start : start + MAX_EXCERPT])
    before = printable(raw[start : finding.column - 1])
    marked = printable(raw[finding.column - 1 : min(finding.column - 1 + finding.width, start + MAX_EXCERPT)])
    bar = paint("|", "dim")
    caret = " " * _columns(before) + paint("^" * max(1, _columns(marked)), finding.severity)
    return [f"{gutter} {bar}", f"{paint(str(finding.line), 'dim')} {bar} {shown}", f"{gutter} {bar} {caret}"]


def _columns(text: str) -> int:
    """Return how many terminal columns a text takes: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def summary(report: Report, paint: Paint = plain) -> str:
    """Return the closing lines: counts, and which families ran, did not run, or were ignored."""
    counts = [counted(report.errors, "error"), counted(report.warnings, "warning")]
    if RUN not in report.families.values():
        verdict = paint("not judged", "warning")
    elif report.findings:
        verdict = paint(" and ".join(part for part in counts if not part.startswith("0 ")), "error")
    else:
        verdict = paint("no findings", "ok") if report.files else paint("nothing to judge", "warning")
    specs = f", {counted(report.specs, 'spec')} among them" if report.specs != report.files else ""
    lines = [f"{verdict} in {counted(report.files, 'file')}{specs} ({printable(report.label)})"]
    if report.waived:
        codes = ", ".join(sorted({found.code for found, _ in report.waived}))
        lines.append(f"waived: {counted(len(report.waived), 'finding')} ({codes})")
    for state, words in ((RUN, "judged"), (PARTLY, PARTLY), (NOT_RUN, NOT_RUN), (IGNORED, IGNORED)):
        letters = [letter for letter, found in report.states.items() if found == state]
        if letters:
            names = (f"{letter} {FAMILIES[letter].name}" for letter in letters)
            how = " (--base REV says from which commit)" * (state == NOT_RUN and letters == ["C"])
            lines.append(paint(f"{words}: {', '.join(names)}{how}", "dim"))
    return "\n".join(lines)
