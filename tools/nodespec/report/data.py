"""A report as JSON, version 1, described by ``schemas/report.v1.schema.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodespec import __version__
from nodespec.report.changes import change_fields
from nodespec.rules import FAMILIES
from nodespec.verdict import NOT_RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.finding import Finding
    from nodespec.gate import Judgement
    from nodespec.scorecard import Gate
    from nodespec.verdict import Report
    from nodespec.waiver import Waiver

VERSION = 1


def to_json(report: Report, *, exit_code: int, trial: tuple[Judgement, Sequence[Gate]] | None = None) -> str:
    """Return the report as JSON of version 1; with ``trial``, what the gate says besides."""
    families = {letter: {"name": FAMILIES[letter].name, "status": status} for letter, status in report.states.items()}
    whole: dict[str, Any] = {
        "version": VERSION,
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
    if report.waived:
        whole["waived"] = [_waived_fields(item, one) for item, one in report.waived]
    if trial is not None:
        whole["gate"] = _trial_fields(*trial)
    return json.dumps(whole, indent=2).replace("##[", "\\u0023#[") + "\n"  # to GitHub's runner, ##[ is a command


def to_json_error(message: str, hint: str, *, exit_code: int) -> str:
    """Return as JSON of version 1 that nothing could be judged, and why."""
    families = {letter: {"name": family.name, "status": NOT_RUN} for letter, family in FAMILIES.items()}
    summary = {
        "tool": f"nodespec {__version__}",
        "judged": "nothing",
        "files": 0,
        "specs": 0,
        "errors": 0,
        "warnings": 0,
        "families": families,
        "exit_code": exit_code,
    }
    whole = {"version": VERSION, "findings": [], "summary": summary, "error": {"message": message, "hint": hint}}
    return json.dumps(whole, indent=2).replace("##[", "\\u0023#[") + "\n"


def _finding_fields(finding: Finding) -> dict[str, Any]:
    names = ("code", "slug", "severity", "path", "line", "column", "pointer", "message", "fix", "doc")
    fields = {name: getattr(finding, name) for name in names}
    return fields | {"policy": finding.policy} if finding.policy else fields


def _waived_fields(item: Finding, one: Waiver) -> dict[str, Any]:
    return {"finding": _finding_fields(item), "reason": one.reason, "owner": one.owner, "until": str(one.until)}


def _trial_fields(judgement: Judgement, gates: Sequence[Gate]) -> dict[str, Any]:
    proposal = judgement.proposal
    return {
        "base": proposal.base.id,
        "head": proposal.head.id,
        "merged": proposal.is_merge,
        "registry_touched": not judgement.untouched,
        "every_node_judged": judgement.everywhere,
        "changed": list(proposal.inside),
        "outside": list(proposal.outside),
        "nodes": [change_fields(change) for change in judgement.nodes],
        "affected": [
            {"signal": item.signal, "what": item.what, "subscribers": list(item.subscribers)}
            for item in judgement.affected
        ],
        "new_owners": [handle for handle, _ in judgement.owners],
        "gates": [
            {"number": gate.number, "name": gate.name, "status": gate.status, "words": gate.words} for gate in gates
        ],
    }
