"""The scorecard of a pull request: seven gates, and what none of them has checked.

==  ===========  ==========================================================================================
 1  schema       what stands there: the tree, the text, the shape, the meaning, the graph, what may change
 2  unit         a test run of somebody else (:mod:`nodespec.evidence`)
 3  integration  another one
 4  security     who put it there: families P, and C as far as it is about signatures
 5  performance  the promises of latency
 6  drift        the share of sample queries whose answer changes (:mod:`nodespec.drift`); a measure, and no verdict
 7  governance   families L and W, and the rules about sensitive signals
+1  self-report  what was not checked
==  ===========  ==========================================================================================

What did not run is "not run" here, too, and never "passed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.encoding import counted, quoted
from nodespec.frozen import frozen
from nodespec.rules import FAMILIES, RULES
from nodespec.verdict import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nodespec.drift import Drift
    from nodespec.evidence import Evidence
    from nodespec.gate import Judgement
    from nodespec.rules import Rule

TESTS = ("unit", "integration")
"""The gates that are read from somebody else's reports."""

PASSED, WARNED, FAILED, NOT_RUN, MEASURED = "passed", "passed with warnings", "failed", "not run", "measured"


@frozen
class Gate:
    """One line of the scorecard; ``number`` as people say it, and ``points`` where the words are several."""

    number: str
    name: str
    status: str
    words: str
    points: tuple[str, ...] = ()


def families_of(name: str) -> str:
    """Return the letters of the families that a gate needs; what one of them did not see, the gate cannot pass.

    >>> [families_of(name) for name in ("schema", "security", "performance", "governance")]
    ['TFSNCG', 'PC', 'N', 'NLW']
    """
    return "".join(letter for letter in FAMILIES if any(_counts(rule, letter, name) for rule in RULES.values()))


def _counts(rule: Rule, letter: str, name: str) -> bool:
    return rule.family == letter and rule.gate == name


def scorecard(
    judgement: Judgement, drift: Drift, tests: Mapping[str, Evidence | None], *, pinned: bool
) -> tuple[Gate, ...]:
    """Return the gates in order; ``tests`` are the runs by name (unit, integration), None where none was handed in."""
    moved = f"{len(drift.changed)} of {drift.asked} sample queries would return other nodes: {drift.share:.0%}"
    unjudged = judgement.is_unjudged and not judgement.untouched
    rows = [
        ("1", _judged(judgement, "schema")),
        ("2", _tested("unit", tests.get("unit"))),
        ("3", _tested("integration", tests.get("integration"))),
        ("4", _judged(judgement, "security")),
        ("5", _judged(judgement, "performance")),
        ("6", ("drift", NOT_RUN, "nothing was judged") if unjudged else ("drift", MEASURED, moved)),
        ("7", _judged(judgement, "governance")),
    ]
    points = tuple(unseen(judgement, pinned=pinned))
    report = Gate(number="+1", name="self-report", status="not checked", words="; ".join(points), points=points)
    return (
        *(Gate(number=number, name=name, status=status, words=words) for number, (name, status, words) in rows),
        report,
    )


def _judged(judgement: Judgement, name: str) -> tuple[str, str, str]:
    report = judgement.report
    if judgement.untouched:
        return name, NOT_RUN, "nothing relevant changes"
    own = [item for item in report.findings if RULES[item.code].gate == name]
    errors = sum(item.severity == "error" for item in own)
    idle = [letter for letter in families_of(name) if report.families.get(letter) != RUN or letter in report.blocked]
    counts = ", ".join(f"{counted(n, word)}" for n, word in ((errors, "error"), (len(own) - errors, "warning")) if n)
    if judgement.is_unjudged:
        said = f"{counts}; nothing else was judged" if counts else "nothing was judged"
        return name, FAILED if errors else NOT_RUN, said
    words = f"{counts}; " * bool(counts) + f"families {', '.join(families_of(name))}"
    if idle:
        words += f"; not run on everything: {', '.join(idle)}"
    status = FAILED if errors else NOT_RUN if idle else WARNED if own else PASSED
    return name, status, words


def _tested(name: str, evidence: Evidence | None) -> tuple[str, str, str]:
    if evidence is None:
        return name, NOT_RUN, f"no report was handed in (--{name} FILE)"
    words = f"{counted(evidence.tests, 'test')}, {evidence.failed} failed, {evidence.skipped} skipped"
    if evidence.failed:
        return name, FAILED, words
    return name, PASSED if evidence.passed else NOT_RUN, words


def unseen(judgement: Judgement, *, pinned: bool) -> Iterator[str]:
    """Yield what the gate has not checked, so that nobody believes that it had."""
    if judgement.is_unjudged and not judgement.untouched:
        yield "everything else: what is found above has to be settled first"
        return
    outside = judgement.proposal.outside
    if outside:
        yield f"the contents of {counted(len(outside), 'file')} outside of the registry ({_some(outside)})"
    both = [conflict.path for conflict in judgement.proposal.conflicts]
    if both:
        what = f"{counted(len(both), 'file')} outside of the registry that both sides changed"
        yield f"the merge of {what} ({_some(both)})"
    if judgement.word:
        yield f"who else sends or hears a signal, and how many nodes an owner holds: taken from {judgement.word}"
    if not judgement.everywhere:
        yield "nodes that the change cannot affect"
        yield "whether the base's waivers have expired or are unused (nodespec validate)"
    if not pinned:
        yield "whether the base's first trust root is the right one (nodespec trust pin)"
    yield "who committed and who approved: only signatures in files count"
    yield "whether the nodes do what their specs say: nothing was run"


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, paths[:5]))
    return shown + (f" and {len(paths) - 5:,} more" if len(paths) > 5 else "")


def failed_tests(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates of others that failed, for the forms that have findings only."""
    return [gate for gate in gates if gate.name in TESTS and gate.status == FAILED]
