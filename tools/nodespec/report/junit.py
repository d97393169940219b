"""Findings as JUnit XML, which every CI server shows: a suite for each family, a failed case for each error.

A family that did not run is a skipped case, so that a count of passed cases never includes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from nodespec.encoding import printable
from nodespec.rules import FAMILIES
from nodespec.verdict import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import Finding
    from nodespec.verdict import Report


def to_junit(report: Report) -> str:
    """Return a document with one suite a family."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={quoteattr('nodespec')}>"]
    for letter, state in report.families.items():
        lines += _suite(letter, state, [item for item in report.findings if item.code[0] == letter])
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(letter: str, state: str, findings: list[Finding]) -> Iterator[str]:
    name = f"{letter} {FAMILIES[letter].name}"
    errors = sum(item.severity == "error" for item in findings)
    skipped = int(state != RUN and not findings)
    count = len(findings) or 1
    yield f'  <testsuite name={quoteattr(name)} tests="{count}" failures="{errors}" errors="0" skipped="{skipped}">'
    if not findings:
        body = f"<skipped message={quoteattr(state)}/>" if skipped else ""
        yield f"    <testcase classname={quoteattr(name)} name={quoteattr(FAMILIES[letter].about)}>{body}</testcase>"
    for item in findings:
        place = printable(f"{item.path}:{item.line}:{item.column}")
        yield f"    <testcase classname={quoteattr(f'{item.code} {item.slug}')} name={quoteattr(place)}>"
        text = escape(printable(f"{place}: {item.message}") + "\n" + printable(item.fix))
        if item.severity == "error":
            message = quoteattr(printable(item.message))
            yield f"      <failure type={quoteattr(item.code)} message={message}>{text}</failure>"
        else:
            yield f"      <system-out>{text}</system-out>"
        yield "    </testcase>"
    yield "  </testsuite>"
