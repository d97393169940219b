"""All rules over one tree.

The order of work: the listing (family T), the settings and the contracts, then each document by itself
(F, S, N), in parallel when asked, then the registry as a whole (G). What cannot be judged, because
this version has no rules for it or because the settings or a contract are unusable, is reported as "not
run" and never counts as passed.

Family N sees only specs that fulfil the schema, and G only specs that fulfil it: the meaning of a
misshapen document is not defined. Its file has findings already. When a spec cannot be read at all, nobody
knows what it emits, and G is not run.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from nodespec import document, rules, schema, settings, spec, tombstone
from nodespec.attestation import Subject
from nodespec.encoding import quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.finding import START, Finding, Hit, pointer
from nodespec.provenance import Provenance
from nodespec.registry import may_hold_nodes, read_checked, read_document
from nodespec.rules.change import Change
from nodespec.rules.format import CODES as FORMAT_CODES
from nodespec.rules.graph import NodeFacts, Whole, claimed_signals
from nodespec.rules.node import Surroundings
from nodespec.rules.provenance import CODES as PROVENANCE_CODES
from nodespec.rules.tree import BROKEN_CONTRACT, UNREADABLE_FILE
from nodespec.schema import Contract
from nodespec.text import MAX_BYTES
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    POLICIES,
    POLICY_SUFFIX,
    REGISTRY,
    REGULAR,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    UNREADABLE,
    Entry,
    is_node_path,
    is_tombstone_path,
    tombstone_path,
)
from nodespec.verdict import ALL, Report, Selection, blocked, family_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodespec.settings import Settings
    from nodespec.tree import Progress, Tree
    from nodespec.verification import Problem

_ILLEGIBLE = "SNP"
"""The families that cannot say anything about a spec that cannot be read."""

_UNSEEN = "FSNP"
"""The families that never open what is no regular file, or has another suffix."""

_CHUNK = 200
"""Files handed to a worker at once: a tenth of a second of work."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    findings: tuple[Finding, ...]
    facts: NodeFacts | None = None
    claimed: frozenset[str] = frozenset()
    missed: str = ""


def judge(
    tree: Tree,
    *,
    selection: Selection = ALL,
    only: frozenset[str] | None = None,
    base: Tree | None = None,
    now: datetime | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Judge a tree.

    With ``only``, findings of these paths alone are reported (the whole is still looked at for G). With ``base``, the tree
    that this one follows, family C runs. ``now`` is the moment at which an expiry is judged; by default this one.
    """
    now = now or datetime.now(UTC)
    readable = [entry for entry in tree.entries if entry.mode in (REGULAR, EXECUTABLE)]
    findings = list(_listing_findings(tree))
    contracts, broken = _contracts(tree, readable)
    findings += broken
    knobs, settings_findings = _settings(tree, readable, contracts)
    findings += settings_findings
    provenance = Provenance(tree, knobs, now) if knobs is not None else None
    desk = _Desk(tree, contracts, _surroundings(knobs, readable), provenance if "P" in selection.families else None)
    whole_needed = "G" in selection.families
    judged = [
        entry
        for entry in readable
        if _is_document(entry.path)
        and (only is None or entry.path in only or (whole_needed and is_node_path(entry.path)))
    ]
    verdicts = _each(desk, judged, jobs, progress)
    findings += (finding for verdict in verdicts for finding in verdict.findings)
    missed = {entry.path: verdict.missed for entry, verdict in zip(judged, verdicts, strict=True) if verdict.missed}
    missed |= {entry.path: _UNSEEN for entry in tree.entries if may_hold_nodes(entry) and not _is_seen(entry)}
    legible = not any("S" in letters for letters in missed.values())
    if knobs is None:
        missed[SETTINGS_PATH] = "S"
    if provenance is not None:
        findings += _provenance_findings(
            desk, provenance, base, [verdict.facts for verdict in verdicts if verdict.facts]
        )
    if knobs is not None and whole_needed and legible:
        facts = [verdict.facts for verdict in verdicts if verdict.facts is not None]
        claimed = frozenset[str]().union(*(verdict.claimed for verdict in verdicts))
        findings += _graph_findings(tree, Whole.of(facts, claimed, knobs))
    families = family_states(
        selection,
        nodes=NODE_SCHEMA_PATH in contracts,
        knobs=knobs is not None,
        whole=legible,
        trusted=provenance is not None and bool(provenance.roots),
        based=base is not None,
    )
    reported = readable if only is None else [entry for entry in readable if entry.path in only]
    return Report(
        label=tree.label,
        findings=_kept(findings, selection, only),
        files=len(reported),
        specs=sum(is_node_path(entry.path) for entry in reported),
        families=families,
        blocked=blocked(families, _wanting(missed, only), "TFSNPG" if base is None else "TFSNPCG"),
    )


def _wanting(missed: dict[str, str], only: frozenset[str] | None) -> set[str]:
    """Return the families that did not see all they were asked about; G sees every spec or not the whole."""
    letters = {letter for path, missing in missed.items() if only is None or path in only for letter in missing}
    return letters | ({"G"} if any("N" in missing for missing in missed.values()) else set())


def judge_text(data: bytes, *, tree: Tree | None, path: str, selection: Selection = ALL) -> Report:
    """Judge one spec that stands nowhere in a registry (standard input, a draft): families F, S and N.

    The registry around it, if there is one, gives the contract and the settings. Without one, whether a
    policy exists or a signal is sensitive cannot be known, and N is not run.
    """
    contracts: dict[str, tuple[Contract, ...]] = {}
    around = None
    if tree is not None:
        readable = [entry for entry in tree.entries if entry.mode in (REGULAR, EXECUTABLE)]
        contracts, _ = _contracts(tree, readable)
        around = _surroundings(_settings(tree, readable, contracts)[0], readable)
    own = contracts.get(NODE_SCHEMA_PATH, ()) if tree is not None else (schema.builtin(NODE_SCHEMA_PATH),)
    verdict = _Desk(tree, {NODE_SCHEMA_PATH: own} if own else {}, around).judge_document(
        path, document.parse(data), placed=False
    )
    families = family_states(selection, nodes=bool(own), knobs=around is not None, whole=False, tree=False)
    return Report(
        label=path,
        findings=_kept(verdict.findings, selection, None),
        files=1,
        specs=1,
        families=families,
        blocked=blocked(families, set(verdict.missed) - {"P"}, "FSN" if tree is not None else "FS"),
    )


def _kept(findings: Iterable[Finding], selection: Selection, only: frozenset[str] | None) -> tuple[Finding, ...]:
    """Return what is to be reported, in order, without what the schema says again about a refused scalar."""
    chosen = [
        finding for finding in findings if finding.code in selection.codes and (only is None or finding.path in only)
    ]
    refused = {(item.path, item.line, item.column) for item in chosen if item.code[0] == "F"}
    kept = [item for item in chosen if item.code[0] != "S" or (item.path, item.line, item.column) not in refused]
    return tuple(sorted(kept, key=lambda finding: finding.order))


def _is_seen(entry: Entry) -> bool:
    return entry.mode in (REGULAR, EXECUTABLE) and is_node_path(entry.path)


def _is_document(path: str) -> bool:
    return path.startswith(f"{REGISTRY}/") and path.endswith(".yaml") and path != SETTINGS_PATH


# The listing, the contracts and the settings.


def _listing_findings(tree: Tree) -> Iterator[Finding]:
    if not tree.entries and not tree.defects:
        return
    for entry in rules.families_of("T"):
        assert entry.check is not None
        for hit in entry.check(tree):
            yield _finding(entry.code, hit, hit.path)
    for item in tree.entries:
        if item.mode == UNREADABLE:
            yield _finding(UNREADABLE_FILE.code, Hit(message="the folder cannot be opened"), item.path)


def _contracts(tree: Tree, readable: Sequence[Entry]) -> tuple[dict[str, tuple[Contract, ...]], list[Finding]]:
    """Return the contracts that apply: the tree's own, and the tool's where the two differ.

    A registry may narrow its contract. It cannot widen what this code relies on, so both must accept.
    """
    contracts: dict[str, tuple[Contract, ...]] = {}
    findings = []
    entries = {entry.path: entry for entry in readable}
    for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH):
        own = (schema.builtin(path),)
        if path not in entries:
            if path == TOMBSTONE_SCHEMA_PATH:  # registries that have buried nothing need not carry it
                contracts[path] = own
            continue
        try:
            data = tree.read(entries[path])
            contracts[path] = own if data == schema.builtin_bytes(path) else (Contract(data), *own)
        except OSError as error:
            findings.append(_unreadable(path, error))
        except ValueError as error:
            findings.append(_finding(BROKEN_CONTRACT.code, Hit(message=f"the schema cannot be used: {error}"), path))
    return contracts, findings


def _settings(
    tree: Tree, readable: Sequence[Entry], contracts: dict[str, tuple[Contract, ...]]
) -> tuple[Settings | None, list[Finding]]:
    entry = next((entry for entry in readable if entry.path == SETTINGS_PATH), None)
    if entry is None or SETTINGS_SCHEMA_PATH not in contracts:
        return None, []
    try:
        text = read_document(tree, entry)
    except OSError as error:
        return None, [_unreadable(entry.path, error)]
    findings = _document_findings(entry.path, text)
    if text.value is not None:
        findings += _schema_findings(entry.path, text, contracts[SETTINGS_SCHEMA_PATH])
    return (None, findings) if findings or text.value is None else (settings.from_value(text.value), [])


def _surroundings(knobs: Settings | None, readable: Sequence[Entry]) -> Surroundings | None:
    if knobs is None:
        return None
    names = (entry.path for entry in readable if entry.path.startswith(POLICIES))
    policies = frozenset(
        path.removeprefix(POLICIES).removesuffix(POLICY_SUFFIX) for path in names if path.endswith(POLICY_SUFFIX)
    )
    return Surroundings(settings=knobs, policies=policies)


# One document.


class _Desk:
    """Where one document after another is judged; everything that stays the same is laid out once."""

    def __init__(
        self,
        tree: Tree | None,
        contracts: dict[str, tuple[Contract, ...]],
        around: Surroundings | None,
        provenance: Provenance | None = None,
    ) -> None:
        self.tree = tree
        self.contracts = contracts
        self.around = around
        self.provenance = provenance
        self.checks = [(entry.code, entry.check) for entry in rules.families_of("N") if entry.check]

    def text(self, path: str) -> document.Document | None:
        """Return a document of the tree to point into; None for what is none."""
        entry = next((entry for entry in self.tree.entries if entry.path == path), None) if self.tree else None
        return read_document(self.tree, entry) if self.tree and entry and path.endswith(".yaml") else None

    def judge_entry(self, entry: Entry) -> _Verdict:
        assert self.tree is not None
        try:
            size = self.tree.size(entry)
            data = self.tree.read(entry) if size <= MAX_BYTES else b""
            text = document.parse(data) if size <= MAX_BYTES else read_document(self.tree, entry)
            if is_node_path(entry.path):
                return self.judge_document(entry.path, text, data)
            if is_tombstone_path(entry.path):
                return self._judge_tombstone(entry.path, text, data)
        except OSError as error:
            return _Verdict((_unreadable(entry.path, error),), missed=_ILLEGIBLE)
        return _Verdict(tuple(_document_findings(entry.path, text)))

    def judge_document(self, path: str, text: document.Document, data: bytes = b"", *, placed: bool = True) -> _Verdict:
        findings = _document_findings(path, text) if text.problems else []
        contracts = self.contracts.get(NODE_SCHEMA_PATH)
        if text.value is None or not contracts:
            return _Verdict(tuple(findings), missed=_ILLEGIBLE)
        if not all(contract.accepts(text.value) for contract in contracts):
            findings += _schema_findings(path, text, contracts)
            return _Verdict(tuple(findings), claimed=claimed_signals(text.value), missed="NP")
        node = spec.from_value(text.value, path if placed else "")
        if self.around is not None:
            findings += [
                _finding(code, hit, path, text) for code, check in self.checks for hit in check(node, self.around)
            ]
        if self.provenance is not None and self.provenance.roots and placed:
            findings += self._vouched(Subject.of_node(node, data), text)
        return _Verdict(tuple(findings), NodeFacts.of(node))

    def _judge_tombstone(self, path: str, text: document.Document, data: bytes) -> _Verdict:
        findings = _document_findings(path, text)
        contracts = self.contracts[TOMBSTONE_SCHEMA_PATH]
        if text.value is None:
            return _Verdict(tuple(findings), missed="SP")
        if not all(contract.accepts(text.value) for contract in contracts):
            return _Verdict((*findings, *_schema_findings(path, text, contracts)), missed="P")
        stone = tombstone.from_value(text.value, path)
        if tombstone_path(stone.id) != path:
            message = f"the id is {stone.id}, whose tombstone is {tombstone_path(stone.id)}"
            findings.append(_finding("N001", Hit(message=message, at=("name",)), path, text))
        elif self.provenance is not None and self.provenance.roots:
            findings += self._vouched(Subject.of_tombstone(stone, data), text)
        return _Verdict(tuple(findings), claimed=frozenset(stone.dangling.signals if stone.dangling else ()))

    def _vouched(self, subject: Subject, text: document.Document) -> list[Finding]:
        assert self.provenance is not None
        return [_problem(subject.path, problem, text) for problem in self.provenance.verify(subject).problems]


def _document_findings(path: str, text: document.Document) -> list[Finding]:
    return [
        _finding(
            FORMAT_CODES[problem.slug], Hit(message=problem.message, span=problem.span, fix=problem.fix), path, text
        )
        for problem in text.problems
    ]


def _schema_findings(path: str, text: document.Document, contracts: Sequence[Contract]) -> list[Finding]:
    hits = {(hit.code, hit.at, hit.message): hit for contract in contracts for hit in contract.violations(text.value)}
    return [_finding(hit.code, hit, path, text) for hit in hits.values()]


def _problem(path: str, problem: Problem, text: document.Document | None = None) -> Finding:
    hit = Hit(message=problem.message, at=problem.at, fix=problem.fix)
    return _finding(PROVENANCE_CODES[problem.slug], hit, path, text)


def _provenance_findings(
    desk: _Desk, provenance: Provenance, base: Tree | None, facts: Sequence[NodeFacts]
) -> Iterator[Finding]:
    """Run what families P and C say about the tree as a whole."""
    if desk.provenance is not None:
        owners = [(fact.path, fact.owner) for fact in facts]
        for path, problem in (*provenance.problems(), *provenance.newcomer_quota(owners)):
            yield _problem(path, problem, desk.text(path))
    if base is not None:
        before = Provenance(base, _base_settings(base), provenance.now)
        change = Change(before, provenance)
        for entry in rules.families_of("C"):
            assert entry.check is not None
            for hit in entry.check(change):
                yield _finding(entry.code, hit, hit.path, desk.text(hit.path))


def _base_settings(base: Tree) -> Settings:
    """Return the settings of the base, which is believed; raises ``RegistryError`` when they cannot be used."""
    return settings.from_value(read_checked(base, SETTINGS_PATH, SETTINGS_SCHEMA_PATH))


def _graph_findings(tree: Tree, whole: Whole) -> list[Finding]:
    """Run family G; a file is parsed again only where there is something to point at."""
    entries = {entry.path: entry for entry in tree.entries}
    findings = []
    for entry in rules.families_of("G"):
        assert entry.check is not None
        findings += [
            _finding(entry.code, hit, hit.path, read_document(tree, entries[hit.path])) for hit in entry.check(whole)
        ]
    return findings


def _finding(code: str, hit: Hit, path: str, text: document.Document | None = None) -> Finding:
    entry = rules.RULES[code]
    span = hit.span or START
    if hit.at is not None and text is not None:
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
    )


def _unreadable(path: str, error: OSError) -> Finding:
    return _finding(UNREADABLE_FILE.code, Hit(message=f"the file cannot be read: {error.strerror or error}"), path)


# Many documents.


def _each(desk: _Desk, entries: Sequence[Entry], jobs: int, progress: Progress | None) -> list[_Verdict]:
    if jobs > 1 and len(entries) > _CHUNK:
        return _in_parallel(desk, entries, jobs, progress)
    verdicts = []
    for done, entry in enumerate(entries):
        verdicts.append(desk.judge_entry(entry))
        if progress is not None and done % _CHUNK == 0:
            progress(done, len(entries))
    return verdicts


_desk: _Desk | None = None
"""A worker's own desk, laid out when the worker starts."""


def _start_worker(
    tree: bytes, contracts: dict[str, list[bytes]], around: Surroundings | None, now: datetime | None
) -> None:
    import signal

    global _desk  # noqa: PLW0603  # a worker process has no other place to keep what it starts with
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # These bytes were pickled by the parent a moment ago and never left this machine's memory.
    own = pickle.loads(tree)
    provenance = Provenance(own, around.settings, now) if now is not None and around is not None else None
    _desk = _Desk(own, {path: tuple(map(Contract, data)) for path, data in contracts.items()}, around, provenance)


def _judge_chunk(entries: Sequence[Entry]) -> list[_Verdict]:
    assert _desk is not None
    return [_desk.judge_entry(entry) for entry in entries]


def _in_parallel(desk: _Desk, entries: Sequence[Entry], jobs: int, progress: Progress | None) -> list[_Verdict]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # fork, where it is safe (no threads of ours), saves each worker the imports.
    method = "fork" if os.uname().sysname == "Linux" else "spawn"
    contracts = {path: [contract.data for contract in found] for path, found in desk.contracts.items()}
    now = desk.provenance.now if desk.provenance else None
    start = partial(_start_worker, pickle.dumps(desk.tree), contracts, desk.around, now)
    chunks = [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]
    verdicts: list[_Verdict] = []
    try:
        with ProcessPoolExecutor(
            min(jobs, len(chunks)), multiprocessing.get_context(method), initializer=start
        ) as pool:
            for part in pool.map(_judge_chunk, chunks):
                verdicts += part
                if progress is not None:
                    progress(len(verdicts), len(entries))
    except BrokenProcessPool:
        raise RegistryError("a worker process died", hint="try again with --jobs 1; is memory short?") from None
    return verdicts


def check_jobs(jobs: int) -> int:
    """Return the number of worker processes; 0 means one for each core that may be used."""
    if jobs < 0:
        raise UsageError(f"{quoted(jobs)} is not a number of jobs", hint="1 is one process, 0 one for each core")
    return jobs or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
