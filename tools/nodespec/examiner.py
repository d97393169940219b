"""One document after another, each by itself: text (F), shape (S), meaning (N), who signed (P), what policies say (L).

What stays the same from document to document is laid out once, in an :class:`Examiner`: the contracts, the settings,
the checks, the verified chains. No document has a say in what is found about another, so they can be shared out among
processes, and the findings are the same with one as with many.

Each step needs the one before: what cannot be read has no shape, and what is misshapen has no meaning that could be
judged. The families that a document never reached are noted as having missed it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nodespec import document, rules, spec, tombstone, workers
from nodespec.attestation import Subject
from nodespec.finding import START, Finding, Hit, pointer
from nodespec.policy.policies import Policies
from nodespec.policy.standing import Standing
from nodespec.provenance import Provenance
from nodespec.reading import read_document
from nodespec.rules.format import CODES as FORMAT_CODES
from nodespec.rules.graph import NodeFacts, claimed_signals
from nodespec.rules.policy import BROKEN
from nodespec.rules.policy import hit as policy_hit
from nodespec.rules.provenance import CODES as PROVENANCE_CODES
from nodespec.rules.tree import UNREADABLE_FILE
from nodespec.schema import Contract
from nodespec.text import MAX_BYTES
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    POLICY_SCHEMA_PATH,
    REGO_SUFFIX,
    REGULAR,
    TOMBSTONE_SCHEMA_PATH,
    is_node_path,
    is_policy_path,
    is_tombstone_path,
    node_path,
    tombstone_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from nodespec.policy.policies import Ruling
    from nodespec.policy.source import Source
    from nodespec.rules.node import Surroundings
    from nodespec.spec import NodeSpec
    from nodespec.tree import Entry, Progress, Tree
    from nodespec.verification import Problem, Verification

_ILLEGIBLE = "SNPL"
"""The families that cannot say anything about a spec that cannot be read."""

_MISSHAPEN = "NPL"
"""The families that cannot say anything about a spec that does not fulfil its contract."""

UNANSWERED = "L"
"""The family that missed a document when a policy could not be used, or gave no answer."""


class Examined(NamedTuple):
    """What came of one document: findings, facts for the graph, and the letters of the families that could not run."""

    findings: tuple[Finding, ...]
    facts: NodeFacts | None = None
    claimed: frozenset[str] = frozenset()
    missed: str = ""


class Examiner:
    """Examines documents of one tree; without a tree, documents that stand nowhere.

    Nodes that fulfil their contract and stand in their place are put into ``kept`` by path, where that is given.
    Without ``around``, family N is left out. Without ``provenance``, or when that has no trust root, nobody is asked
    who signed. Nodes must comply with the ``policies``, which need not be the tree's own; without any, family L is left
    out.
    """

    def __init__(
        self,
        tree: Tree | None,
        contracts: Mapping[str, tuple[Contract, ...]],
        around: Surroundings | None,
        provenance: Provenance | None = None,
        policies: Policies | None = None,
        *,
        kept: dict[str, NodeSpec] | None = None,
    ) -> None:
        self.tree = tree
        self.kept = kept
        self.contracts = contracts
        self.around = around
        self.provenance = provenance
        self.policies = policies
        self._checks = [(entry.code, entry.check) for entry in rules.families_of("N") if entry.check]

    def examine(self, entry: Entry) -> Examined:
        """Examine a file of the tree."""
        assert self.tree is not None
        if entry.path.endswith(REGO_SUFFIX):
            return self.examine_module(entry.path)
        try:
            size = self.tree.size(entry)
            data = self.tree.read(entry) if size <= MAX_BYTES else b""
            text = document.parse(data) if size <= MAX_BYTES else read_document(self.tree, entry)
            if is_node_path(entry.path):
                return self.examine_node(entry.path, text, data)
            if is_tombstone_path(entry.path):
                return self._examine_tombstone(entry.path, text, data)
            if is_policy_path(entry.path):
                return self.examine_policy(entry.path, text)
        except OSError as error:
            missed = UNANSWERED if is_policy_path(entry.path) else _ILLEGIBLE
            return Examined((unreadable(entry.path, error),), missed=missed)
        return Examined(tuple(text_findings(entry.path, text)))

    def examine_node(self, path: str, text: document.Document, data: bytes = b"", *, placed: bool = True) -> Examined:
        """Examine a NodeSpec. A draft is not ``placed``: it has no path yet that must be its id, and no signature."""
        findings = text_findings(path, text) if text.problems else []
        contracts = self.contracts.get(NODE_SCHEMA_PATH)
        if text.value is None or not contracts:
            return Examined(tuple(findings), missed=_ILLEGIBLE)
        if not all(contract.accepts(text.value) for contract in contracts):
            findings += shape_findings(path, text, contracts)
            return Examined(tuple(findings), claimed=claimed_signals(text.value), missed=_MISSHAPEN)
        node = spec.from_value(text.value, path if placed else "")
        if self.kept is not None and node_path(node.id) == path:  # as it would be loaded, not whatever stands there
            self.kept[path] = node
        if self.around is not None:
            findings += [
                finding(code, hit, path, text) for code, check in self._checks for hit in check(node, self.around)
            ]
        standing = Standing()
        if self.provenance is not None and self.provenance.roots and placed:
            verified = self.provenance.verify(Subject.of_node(node, data))
            findings += [unvouched(path, problem, text) for problem in verified.problems]
            standing = self._standing(node, verified)
        rulings = self._rulings(node, standing) if placed else []
        hits = [hit for item in rulings if (hit := policy_hit(item, node)) is not None]
        findings += [finding(hit.code, hit, path, text) for hit in hits]
        answered = all(item.outcome in ("violated", "unsigned") for item in rulings)
        return Examined(tuple(findings), NodeFacts.of(node), missed="" if answered else UNANSWERED)

    def _standing(self, node: NodeSpec, verified: Verification) -> Standing:
        """Return who stands behind a node; a verification that does not hold shows nobody."""
        if not verified.held:
            return Standing()
        assert self.provenance is not None
        return Standing(
            verified=True,
            attested=any(step.name == "verifier" for step in verified.steps),
            delegated=bool(self.provenance.root.of_owner(node.owner)),
            owner=node.owner,
        )

    def _rulings(self, node: NodeSpec, standing: Standing) -> list[Ruling]:
        if self.policies is None or self.around is None:
            return []
        return self.policies.judge(node, standing, self.around.settings)

    def examine_module(self, path: str) -> Examined:
        """Examine a governance policy in Rego, which is no document: whether it can be used."""
        hits = self.policies.problems(path) if self.policies is not None else []
        return Examined(tuple(finding(BROKEN.code, item, path) for item in hits), missed=UNANSWERED if hits else "")

    def examine_policy(self, path: str, text: document.Document) -> Examined:
        """Examine a governance policy in YAML: whether it can be used."""
        findings = text_findings(path, text)
        if text.value is not None:
            findings += shape_findings(path, text, self.contracts.get(POLICY_SCHEMA_PATH, ()))
        if self.policies is None:
            return Examined(tuple(findings))
        findings += [finding(BROKEN.code, item, path, text) for item in self.policies.problems(path)]
        return Examined(tuple(findings), missed=UNANSWERED if findings else "")

    def _examine_tombstone(self, path: str, text: document.Document, data: bytes) -> Examined:
        findings = text_findings(path, text)
        contracts = self.contracts.get(TOMBSTONE_SCHEMA_PATH)
        if text.value is None or not contracts:
            return Examined(tuple(findings), missed="SP")
        if not all(contract.accepts(text.value) for contract in contracts):
            return Examined((*findings, *shape_findings(path, text, contracts)), missed="P")
        stone = tombstone.from_value(text.value, path)
        if tombstone_path(stone.id) != path:
            message = f"the id is {stone.id}, whose tombstone is {tombstone_path(stone.id)}"
            findings.append(finding("N001", Hit(message=message, at=("name",)), path, text))
        elif self.provenance is not None and self.provenance.roots:
            # A tombstone holds at its top what a node holds one level down.
            problems = self.provenance.verify(Subject.of_tombstone(stone, data)).problems
            findings += [unvouched(path, replace(item, at=item.at and item.at[-1:]), text) for item in problems]
        return Examined(tuple(findings), claimed=frozenset(stone.dangling.signals if stone.dangling else ()))

    def text_at(self, path: str) -> document.Document | None:
        """Return the document at a path of the tree, to point into; None for a file that is no document."""
        entry = self.tree.entry(path) if self.tree and path.endswith(".yaml") else None
        if self.tree is None or entry is None or entry.mode not in (REGULAR, EXECUTABLE):
            return None
        try:
            return read_document(self.tree, entry)
        except OSError:  # which is a finding of its own
            return None


# Findings: what a rule, the loader, a contract or a verification says, at its line.


def finding(code: str, hit: Hit, path: str, text: document.Document | None = None) -> Finding:
    """Return what a rule has hit as a finding; with ``text``, at the line and column of the hit's key path."""
    entry = rules.RULES[code]
    span = hit.span or START
    if hit.at is not None and hit.span is None and text is not None:
        span = text.locate(hit.at, on_key=hit.on_key)
    return Finding(
        code=entry.code,
        slug=entry.slug,
        severity=entry.severity,
        path=path,
        line=span.line,
        column=span.column,
        pointer=pointer(hit.at or ()),
        message=hit.message,
        fix=hit.fix or entry.fix,
        doc=entry.doc,
        width=span.width,
        policy=hit.policy,
    )


def text_findings(path: str, text: document.Document) -> list[Finding]:
    """Return what the loader found wrong with a text (family F)."""
    hits = (
        (FORMAT_CODES[problem.slug], Hit(message=problem.message, span=problem.span, fix=problem.fix))
        for problem in text.problems
    )
    return [finding(code, hit, path, text) for code, hit in hits]


def shape_findings(path: str, text: document.Document, contracts: Sequence[Contract]) -> list[Finding]:
    """Return what contracts have against a value (family S); what several say is said once."""
    hits = {(hit.code, hit.at, hit.message): hit for contract in contracts for hit in contract.violations(text.value)}
    return [finding(hit.code, hit, path, text) for hit in hits.values()]


def unvouched(path: str, problem: Problem, text: document.Document | None = None) -> Finding:
    """Return why a step of a verification did not hold (family P)."""
    hit = Hit(message=problem.message, at=problem.at, fix=problem.fix)
    return finding(PROVENANCE_CODES[problem.slug], hit, path, text)


def unreadable(path: str, error: OSError) -> Finding:
    """Return that a file cannot be read (T009)."""
    return finding(UNREADABLE_FILE.code, Hit(message=f"the file cannot be read: {error.strerror or error}"), path)


# Many documents.


def examine_all(examiner: Examiner, entries: Sequence[Entry], jobs: int, progress: Progress | None) -> list[Examined]:
    """Examine files in their order, in up to ``jobs`` processes; raise ``RegistryError`` when one of them dies."""
    contracts = {path: [contract.data for contract in found] for path, found in examiner.contracts.items()}
    now = examiner.provenance.now if examiner.provenance else None
    assert examiner.tree is not None
    sources = examiner.policies.sources if examiner.policies else None
    if examiner.policies is not None and entries:
        examiner.policies.prepare()
    start = partial(_own_examiner, examiner.tree, contracts, examiner.around, now, sources)
    return workers.each(entries, examiner.examine, jobs=jobs, progress=progress, start=start)


def _own_examiner(
    tree: Tree,
    contracts: dict[str, list[bytes]],
    around: Surroundings | None,
    now: datetime | None,
    sources: Sequence[Source] | None,
) -> Callable[[Entry], Examined]:
    """Make a worker's own examiner; schemas and policies are compiled anew, because compiled ones cannot travel."""
    provenance = Provenance(tree, around.settings, now) if now is not None and around is not None else None
    own = {path: tuple(map(Contract, data)) for path, data in contracts.items()}
    policies = Policies(sources, own[POLICY_SCHEMA_PATH]) if sources is not None else None
    return Examiner(tree, own, around, provenance, policies).examine
