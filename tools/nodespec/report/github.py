"""Findings as GitHub annotations: workflow commands, one a line, that nothing from a file can forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.encoding import printable
from nodespec.report.text import summary

if TYPE_CHECKING:
    from nodespec.finding import Finding
    from nodespec.verdict import Report

LIMIT = 10
"""GitHub shows this many annotations of each level for a step and drops the rest (GitHub Actions limits)."""


def to_github(report: Report, command: str = "nodespec validate") -> str:
    """Return workflow commands, at most ten of each level, and the summary as plain lines.

    ``command`` is what shows the findings that are left out.
    """
    lines = []
    for level in ("error", "warning"):
        findings = [finding for finding in report.findings if finding.severity == level]
        lines += [_annotation(finding) for finding in findings[:LIMIT]]
        if len(findings) > LIMIT:
            rest = len(findings) - LIMIT
            lines.append(f"{rest} more {level}s are not shown as annotations; run {command} to see them all")
    return "\n".join([*lines, summary(report)]) + "\n"


def to_github_error(message: str, hint: str) -> str:
    """Return an annotation that nothing could be judged, and why."""
    return f"::error title=could not judge::{_command('. '.join(filter(None, [message, hint])))}\n"


def _annotation(finding: Finding) -> str:
    title = f"{finding.code} {finding.slug}"
    place = f"file={_property(finding.path)},line={finding.line},col={finding.column},title={_property(title)}"
    return f"::{finding.severity} {place}::{_command(f'{finding.message}. {finding.fix}')}"


def _command(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _command(text).replace(":", "%3A").replace(",", "%2C")
