"""Findings as a SARIF 2.1.0 log (OASIS)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodespec import __version__
from nodespec.encoding import printable
from nodespec.rules import FAMILIES, RULES
from nodespec.scorecard import failed_tests
from nodespec.verdict import RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.finding import Finding
    from nodespec.scorecard import Gate
    from nodespec.verdict import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(report: Report, gates: Sequence[Gate] = ()) -> str:
    """Return a SARIF 2.1.0 log (OASIS) with one run; tests of others that failed (``gates``) are notifications."""
    used = list(RULES)
    results = [_sarif_result(finding, used.index(finding.code)) for finding in report.findings]
    for finding, waiver in report.waived:
        why = f"{printable(waiver.reason)} (until {waiver.until}, registry/waivers.yaml)"
        accepted = {"kind": "external", "justification": why}
        results.append({**_sarif_result(finding, used.index(finding.code)), "suppressions": [accepted]})
    idle = [FAMILIES[letter].name for letter, state in report.states.items() if state != RUN]
    notes = [_notification("note", f"not run on everything, or ignored: {', '.join(idle)}")] if idle else []
    notes += [_notification("error", f"gate {gate.number} {gate.name}: {gate.words}") for gate in failed_tests(gates)]
    return _log({"executionSuccessful": report.exit_code() != 3, "toolExecutionNotifications": notes}, results)


def to_sarif_error(message: str, hint: str, *, exit_code: int) -> str:
    """Return a log of a run which says that nothing could be judged, and why."""
    why = _notification("error", ". ".join(filter(None, [message, hint])))
    return _log({"executionSuccessful": False, "exitCode": exit_code, "toolExecutionNotifications": [why]}, [])


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": printable(text)}}


def _log(invocation: dict[str, Any], results: list[dict[str, Any]]) -> str:
    driver = {
        "name": "nodespec",
        "semanticVersion": __version__,
        "rules": [_sarif_rule(code) for code in RULES],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


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
