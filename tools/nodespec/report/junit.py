"""Findings as JUnit XML, which every CI server shows: a suite for each family, a failed case for each error.

A family that did not run is a skipped case, and so is a waived finding: a count of passed cases includes neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from nodespec.encoding import printable
from nodespec.rules import FAMILIES
from nodespec.scorecard import FAILED, NOT_RUN, TESTS
from nodespec.verdict import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.finding import Finding
    from nodespec.scorecard import Gate
    from nodespec.verdict import Report
    from nodespec.waiver import Waiver


def to_junit(report: Report, gates: Sequence[Gate] = ()) -> str:
    """Return a document with one suite a family, and one for what others have tested (``gates``)."""
    lines: list[str] = []
    for letter, state in report.states.items():
        waived = [pair for pair in report.waived if pair[0].code[0] == letter]
        lines += _suite(letter, state, [item for item in report.findings if item.code[0] == letter], waived)
    tests = [gate for gate in gates if gate.name in TESTS]
    if tests:
        lines += _tested(tests)
    return _document(lines)


def to_junit_error(message: str, hint: str) -> str:
    """Return a document with one case in error: nothing could be judged, and why."""
    case = f"classname={quoteattr('nodespec')} name={quoteattr('could judge')}"
    body = f"<error message={quoteattr(printable(message))}>{escape(printable(hint))}</error>"
    suite = f'  <testsuite name={quoteattr("nodespec")} tests="1" failures="0" errors="1" skipped="0">'
    return _document([suite, f"    <testcase {case}>{body}</testcase>", "  </testsuite>"])


def _document(lines: Sequence[str]) -> str:
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={quoteattr('nodespec')}>"]
    return "\n".join([*head, *lines, "</testsuites>"]) + "\n"


def _tested(gates: Sequence[Gate]) -> Iterator[str]:
    failed, skipped = (sum(gate.status == status for gate in gates) for status in (FAILED, NOT_RUN))
    counts = f'tests="{len(gates)}" failures="{failed}" errors="0" skipped="{skipped}"'
    yield f"  <testsuite name={quoteattr('tests of others')} {counts}>"
    for gate in gates:
        words = quoteattr(printable(gate.words))
        body = {FAILED: f"<failure message={words}/>", NOT_RUN: f"<skipped message={words}/>"}.get(gate.status, "")
        name = f"classname={quoteattr(f'gate {gate.number}')} name={quoteattr(gate.name)}"
        yield f"    <testcase {name}>{body}</testcase>"
    yield "  </testsuite>"


def _suite(letter: str, state: str, findings: list[Finding], waived: Sequence[tuple[Finding, Waiver]]) -> Iterator[str]:
    name = f"{letter} {FAMILIES[letter].name}"
    errors = sum(item.severity == "error" for item in findings)
    idle = int(state != RUN)
    skipped = idle + len(waived)
    count = (len(findings) + skipped) or 1
    yield f'  <testsuite name={quoteattr(name)} tests="{count}" failures="{errors}" errors="0" skipped="{skipped}">'
    if idle or not (findings or waived):
        body = f"<skipped message={quoteattr(state)}/>" if idle else ""
        yield f"    <testcase classname={quoteattr(name)} name={quoteattr(FAMILIES[letter].about)}>{body}</testcase>"
    for item, waiver in waived:
        case = f"classname={quoteattr(f'{item.code} {item.slug}')} name={quoteattr(printable(item.path))}"
        why = quoteattr(printable(f"waived until {waiver.until}: {waiver.reason}"))
        yield f"    <testcase {case}><skipped message={why}/></testcase>"
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
