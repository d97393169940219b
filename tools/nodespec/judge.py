"""All rules over one tree.

The order of work: the listing (family T), the settings and the contracts, then each document by itself
(F, S, N, P, L; :mod:`nodespec.examiner`), in parallel when asked, then the registry as a whole: the trust root and
the owners (P), what changed since a base (C), the graph (G). What cannot be judged, because this version has no
rules for it or because the settings or a contract are unusable, is reported as "not run" and never counts as passed.

Families N, P and L see only specs that fulfil the schema, and so does G: the meaning of a misshapen document is not
defined. Its file has findings already. When a spec cannot be read at all, nobody knows what it emits, and G is not run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nodespec import document, schema
from nodespec.criteria import contracts_of, listing_findings, settings_of, surroundings_of
from nodespec.evaluation import Evaluation, reported
from nodespec.examiner import Examiner, finding
from nodespec.finding import Finding, Hit
from nodespec.policy.policies import Policies
from nodespec.policy.source import UNREAD
from nodespec.rules.policy import BROKEN
from nodespec.tree import (
    ATTESTATION_SUFFIX,
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    OWNERS,
    POLICY_SCHEMA_PATH,
    REGISTRY,
    REGULAR,
    SETTINGS_PATH,
    WAIVERS_PATH,
    Entry,
    is_node_path,
    is_policy_path,
    is_tombstone_path,
)
from nodespec.verdict import ALL, Report, Selection, blocked, family_states
from nodespec.workers import check_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.criteria import Contracts
    from nodespec.examiner import Examined
    from nodespec.policy.source import Source
    from nodespec.tree import Progress, Tree

MANY = 2000
"""Files from which a second process is worth its start."""


def judge(
    tree: Tree,
    *,
    selection: Selection = ALL,
    only: frozenset[str] | None = None,
    base: Tree | None = None,
    now: datetime | None = None,
    jobs: int | None = 1,
    progress: Progress | None = None,
    seen: list[tuple[Entry, Examined]] | None = None,
) -> Report:
    """Judge a tree.

    With ``only``, findings of these paths alone are reported (the whole is still looked at for G). With ``base``, the
    tree that this one follows, family C runs, and settings count as far as both trees grant them. ``now`` is the moment
    at which an expiry is judged; by default this one. ``jobs`` are processes; None is as many as the work is worth.
    What came of each document is added to ``seen``.
    """
    only = None if only is None else _with_those_it_is_about(tree, only)
    evaluation = Evaluation(tree, selection, now or datetime.now(UTC), base)
    readable = [entry for entry in tree.entries if entry.mode in (REGULAR, EXECUTABLE)]
    entries = [entry for entry in readable if _is_to_examine(entry.path, selection, only)]
    worth = check_jobs(0) if len(entries) >= MANY else 1
    examined = evaluation.examine(entries, tree.entries, worth if jobs is None else jobs, progress)
    if seen is not None:
        seen += examined.documents
    findings = [*listing_findings(tree), *evaluation.unsettled, *examined.findings]
    findings += evaluation.vouched_for(None, [(path, node.owner) for path, node in examined.facts.items()])
    findings += evaluation.followed()
    if evaluation.sees_the_whole(examined.unseen):
        findings += evaluation.graph(list(examined.facts.values()), examined.claimed)
    reported = readable if only is None else [entry for entry in readable if entry.path in only]
    nodes = sum(is_node_path(entry.path) for entry in reported)
    return evaluation.report(findings, examined.unseen, files=len(reported), specs=nodes, only=only)


def judge_text(data: bytes, *, tree: Tree | None, path: str, selection: Selection = ALL) -> Report:
    """Judge one spec that stands nowhere in a registry (standard input, a draft): families F, S and N.

    The registry around it, if there is one, gives the contract and the settings. Without one, whether a
    policy exists or a signal is sensitive cannot be known, and N is not run.
    """
    contracts: Contracts = {}
    around = None
    if tree is not None:
        contracts, _ = contracts_of(tree)
        around = surroundings_of(settings_of(tree, contracts)[0], tree)
    own = contracts.get(NODE_SCHEMA_PATH, ()) if tree is not None else (schema.builtin(NODE_SCHEMA_PATH),)
    examiner = Examiner(tree, {NODE_SCHEMA_PATH: own} if own else {}, around)
    examined = examiner.examine_node(path, document.parse(data), placed=False)
    families = family_states(selection, nodes=bool(own), knobs=around is not None, whole=False, tree=False)
    return Report(
        label=path,
        findings=reported(examined.findings, selection, None),
        files=1,
        specs=1,
        families=families,
        blocked=blocked(families, set(examined.missed) - {"P"}, "FSN" if tree is not None else "FS"),
    )


def judge_policies(sources: Sequence[Source], *, tree: Tree | None) -> Report:
    """Judge governance policies by themselves, whether they stand in a registry or not: families F, S and L.

    The registry around them, if there is one, gives the contract.
    """
    contracts = contracts_of(tree)[0] if tree is not None else {}
    own = contracts.get(POLICY_SCHEMA_PATH, (schema.builtin(POLICY_SCHEMA_PATH),))
    examiner = Examiner(tree, {POLICY_SCHEMA_PATH: own}, None, policies=Policies(sources, own))
    selection = Selection.parse(["F", "S", "L"])
    findings: list[Finding] = []
    for source in sources:
        if source.language == "rego":
            findings += examiner.examine_module(source.path).findings
        elif source.data is None:
            findings.append(finding(BROKEN.code, Hit(message=UNREAD), source.path))
        else:
            findings += examiner.examine_policy(source.path, document.parse(source.data)).findings
    return Report(
        label="policies",
        findings=reported(findings, selection, None),
        files=len(sources),
        specs=0,
        families=family_states(selection, nodes=True, knobs=True, whole=True, policies=True),
    )


def _is_to_examine(path: str, selection: Selection, only: frozenset[str] | None) -> bool:
    """Say whether a document is examined: when it is asked for, and for what others must know of it.

    G must know who emits what, and what tombstones leave dangling; P, how many nodes a newcomer holds. What judges
    everybody is judged whichever are chosen: policies (L).
    """
    if not path.startswith(f"{REGISTRY}/") or path in (SETTINGS_PATH, WAIVERS_PATH):
        return False
    if not path.endswith(".yaml") and not is_policy_path(path):
        return False
    if only is None or path in only or ("L" in selection.families and is_policy_path(path)):
        return True
    return bool(selection.families & {"G", "P"}) and (is_node_path(path) or is_tombstone_path(path))


def _with_those_it_is_about(tree: Tree, only: frozenset[str]) -> frozenset[str]:
    """Add what signed files are about: a node to its attestation, an owner's whole chain to one of its records."""
    subjects = {path.removesuffix(ATTESTATION_SUFFIX) + ".yaml" for path in only if path.endswith(ATTESTATION_SUFFIX)}
    folders = tuple(path.rpartition("/")[0] + "/" for path in only if path.startswith(OWNERS))
    known = (entry.path for entry in tree.entries)
    return only | {path for path in known if path in subjects or (folders and path.startswith(folders))}
