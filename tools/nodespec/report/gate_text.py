"""What the gate says of a pull request, on a terminal: findings, what changes, who feels it, the scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.encoding import counted, printable, quoted
from nodespec.report.changes import change_text
from nodespec.report.text import findings_text, plain, summary
from nodespec.scorecard import FAILED, MEASURED, PASSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.gate import Judgement
    from nodespec.report.text import Paint, Source
    from nodespec.scorecard import Gate

MOST_CHANGES = 100
"""Nodes whose change is shown; who changes more wants a list, and has nodespec diff."""


def to_trial_text(judgement: Judgement, gates: Sequence[Gate], source: Source, paint: Paint = plain) -> str:
    """Return what a reviewer reads."""
    blocks = [findings_text(judgement.report, source, paint)]
    shown = judgement.nodes[:MOST_CHANGES]
    blocks.append("".join(change_text(change, paint) for change in shown))
    if len(judgement.nodes) > len(shown):
        blocks.append(f"… and {counted(len(judgement.nodes) - len(shown), 'more node')}: nodespec diff BASE HEAD\n")
    blocks.append("".join(f"{printable(line)}\n" for line in notices(judgement)))
    blocks.append("".join(_line(gate, paint) for gate in gates))
    return "\n".join([*(block for block in blocks if block), closing(judgement, paint)]) + "\n"


def notices(judgement: Judgement) -> list[str]:
    """Say what a maintainer wants to know besides the nodes: who feels it, who is new, what changed for everybody."""
    lines = []
    for item in judgement.affected:
        some = ", ".join(item.subscribers[:5]) + (" …" if len(item.subscribers) > 5 else "")
        lines.append(f"{item.signal}: {item.what}; heard by {counted(len(item.subscribers), 'other node')}: {some}")
    lines += [
        f"new owner: {quoted(name) if name else 'of a chain that does not verify'}, {handle}"
        for handle, name in judgement.owners
    ]
    if judgement.everywhere:
        lines.append("something changes by which all nodes are judged: every node was judged anew")
    for found, waiver in judgement.report.waived:
        lines.append(f"waived: {found.code} at {found.path}, until {waiver.until}: {waiver.reason}")
    return lines


def closing(judgement: Judgement, paint: Paint = plain) -> str:
    """Return the last lines: the verdict, or that there was nothing to judge."""
    if not judgement.untouched:
        return summary(judgement.report, paint)
    outside = judgement.proposal.outside
    where = f"{counted(len(outside), 'file')} outside of registry/ and schemas/" if outside else "no file"
    verdict = paint("nothing of the registry changes", "ok")
    return f"{verdict}: {where} would differ ({printable(judgement.report.label)})"


def _line(gate: Gate, paint: Paint) -> str:
    purpose = {PASSED: "ok", FAILED: "error", MEASURED: "dim"}.get(gate.status, "warning")
    words = ("\n" + " " * 16).join(map(printable, gate.points or (gate.words,)))
    return f"{gate.number:>2} {gate.name:<11}  {paint(f'{gate.status:<8}', purpose)}  {words}\n"
