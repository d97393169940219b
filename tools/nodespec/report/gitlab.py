"""Findings as a GitLab Code Quality report (a subset of the Code Climate specification)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable

if TYPE_CHECKING:
    from nodespec.finding import Finding
    from nodespec.verdict import Report

_SEVERITY = {"error": "major", "warning": "minor"}


def to_gitlab(report: Report) -> str:
    """Return a list of issues; each has a fingerprint that stays the same when lines above it come and go."""
    seen: dict[str, int] = {}
    return json.dumps([_issue(finding, seen) for finding in report.findings], indent=2) + "\n"


def _issue(finding: Finding, seen: dict[str, int]) -> dict[str, Any]:
    what = f"{finding.code}\0{finding.path}\0{finding.pointer}\0{finding.message}"
    count = seen[what] = seen.get(what, 0) + 1
    return {
        "description": printable(f"{finding.code} {finding.slug}: {finding.message}. {finding.fix}"),
        "check_name": finding.code,
        "fingerprint": sha256(f"{what}\0{count}".encode("utf-8", "surrogateescape")).hexdigest(),
        "severity": _SEVERITY[finding.severity],
        "location": {"path": printable(finding.path), "lines": {"begin": finding.line}},
    }
