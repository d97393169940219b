"""Findings as a GitLab Code Quality report (a subset of the Code Climate specification)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable
from nodespec.scorecard import failed_tests
from nodespec.tree import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.finding import Finding
    from nodespec.scorecard import Gate
    from nodespec.verdict import Report

_SEVERITY = {"error": "major", "warning": "minor"}


def to_gitlab(report: Report, gates: Sequence[Gate] = ()) -> str:
    """Return a list of issues; each has a fingerprint that stays the same when lines above it come and go.

    Tests of others that failed (``gates``) are issues of registry.yaml, since an issue has to be in some file.
    """
    seen: dict[str, int] = {}
    issues = [_issue(finding, seen) for finding in report.findings]
    issues += [_beside(f"gate {gate.number} {gate.name}", gate.words, "major") for gate in failed_tests(gates)]
    return json.dumps(issues, indent=2) + "\n"


def to_gitlab_error(message: str, hint: str) -> str:
    """Return a list of one issue, of registry.yaml: nothing could be judged, and why."""
    issue = _beside("could not judge", ". ".join(filter(None, [message, hint])), "blocker")
    return json.dumps([issue], indent=2) + "\n"


def _beside(name: str, words: str, severity: str) -> dict[str, Any]:
    """Return an issue that is no finding."""
    return {
        "description": printable(f"{name}: {words}"),
        "check_name": name,
        "fingerprint": sha256(name.encode()).hexdigest(),
        "severity": severity,
        "location": {"path": SETTINGS_PATH, "lines": {"begin": 1}},
    }


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
