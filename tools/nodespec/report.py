"""Findings, printed: text with the source line and a caret, JSON, SARIF, GitHub annotations.

Every function here is pure: it takes a report and, for text, a way to see a source line, and returns
text. Whatever comes from a file is made printable first, so that no name or line can forge output.

The JSON form is versioned and described by ``schemas/report.v1.schema.json``.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from nodespec import __version__
from nodespec.encoding import printable
from nodespec.rules import FAMILIES, RULES
from nodespec.verdict import IGNORED, NOT_RUN, RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.finding import Finding
    from nodespec.verdict import Report

    Paint = Callable[[str, str], str]
    """Colours a text for a purpose: ``error``, ``warning``, ``ok``, ``strong`` or ``dim``."""

    Source = Callable[[str], list[str]]
    """Gives the lines of the file at a path; empty when it cannot be read."""

JSON_VERSION = 1

GITHUB_LIMIT = 10
"""GitHub shows this many annotations of each level for a step and drops the rest (GitHub Actions limits)."""

MAX_EXCERPT = 110
"""Columns of a source line that fit beside the line number on a usual terminal."""

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def plain(text: str, _purpose: str) -> str:
    """Paint nothing."""
    return text


# Text.


def to_text(report: Report, source: Source, paint: Paint = plain) -> str:
    """Return the findings with excerpts, and a summary of what was and was not judged."""
    blocks = [_block(finding, source, paint) for finding in report.findings]
    return "\n".join([*blocks, summary(report, paint)]) + "\n"


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
    counts = [_count(report.errors, "error"), _count(report.warnings, "warning")]
    if RUN not in report.families.values():
        verdict = paint("not judged", "warning")
    elif report.findings:
        verdict = paint(" and ".join(part for part in counts if not part.startswith("0 ")), "error")
    else:
        verdict = paint("no findings", "ok") if report.files else paint("nothing to judge", "warning")
    specs = f", {_count(report.specs, 'spec')} among them" if report.specs != report.files else ""
    lines = [f"{verdict} in {_count(report.files, 'file')}{specs} ({printable(report.label)})"]
    for state, words in ((RUN, "judged"), (NOT_RUN, "not run"), (IGNORED, "ignored")):
        letters = [letter for letter, found in report.families.items() if found == state]
        if letters:
            lines.append(
                paint(f"{words}: {', '.join(f'{letter} {FAMILIES[letter].name}' for letter in letters)}", "dim")
            )
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# JSON.


def to_json(report: Report, *, exit_code: int) -> str:
    """Return the report as JSON of version 1."""
    families = {letter: {"name": FAMILIES[letter].name, "status": status} for letter, status in report.families.items()}
    whole = {
        "version": JSON_VERSION,
        "findings": [_finding_fields(finding) for finding in report.findings],
        "summary": {
            "tool": f"nodespec {__version__}",
            "judged": report.label,
            "files": report.files,
            "specs": report.specs,
            "errors": report.errors,
            "warnings": report.warnings,
            "families": families,
            "exit_code": exit_code,
        },
    }
    return json.dumps(whole, indent=2) + "\n"


def _finding_fields(finding: Finding) -> dict[str, Any]:
    names = ("code", "slug", "severity", "path", "line", "column", "pointer", "message", "fix", "doc")
    return {name: getattr(finding, name) for name in names}


# GitHub annotations.


def to_github(report: Report) -> str:
    """Return workflow commands, at most ten of each level, and the summary as plain lines."""
    lines = []
    for level in ("error", "warning"):
        findings = [finding for finding in report.findings if finding.severity == level]
        lines += [_annotation(finding) for finding in findings[:GITHUB_LIMIT]]
        if len(findings) > GITHUB_LIMIT:
            rest = len(findings) - GITHUB_LIMIT
            lines.append(f"{rest} more {level}s are not shown as annotations; run nodespec validate to see them all")
    return "\n".join([*lines, summary(report)]) + "\n"


def _annotation(finding: Finding) -> str:
    title = f"{finding.code} {finding.slug}"
    place = f"file={_property(finding.path)},line={finding.line},col={finding.column},title={_property(title)}"
    return f"::{finding.severity} {place}::{_command(f'{finding.message}. {finding.fix}')}"


def _command(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _command(text).replace(":", "%3A").replace(",", "%2C")


# SARIF.


def to_sarif(report: Report) -> str:
    """Return a SARIF 2.1.0 log (OASIS) with one run."""
    used = list(RULES)
    driver = {
        "name": "nodespec",
        "semanticVersion": __version__,
        "rules": [_sarif_rule(code) for code in used],
    }
    results = [_sarif_result(finding, used.index(finding.code)) for finding in report.findings]
    idle = [FAMILIES[letter].name for letter, state in report.families.items() if state != RUN]
    notes = [{"level": "note", "message": {"text": f"not run or ignored: {', '.join(idle)}"}}] if idle else []
    invocation = {"executionSuccessful": report.exit_code() != 3, "toolExecutionNotifications": notes}
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": rule.code,
        "name": rule.slug,
        "shortDescription": {"text": rule.slug.replace("-", " ")},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": rule.severity},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.column + finding.width,
    }
    location = {"artifactLocation": {"uri": _uri(finding.path)}, "region": region}
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": f"{printable(finding.message)}. {printable(finding.fix)}"},
        "locations": [{"physicalLocation": location}],
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.encode("utf-8", "surrogateescape"))
