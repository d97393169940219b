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
from functools import partial
from typing import TYPE_CHECKING

from nodespec import document, rules, schema, settings, spec
from nodespec.encoding import quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.finding import START, Finding, Hit, pointer
from nodespec.registry import may_hold_nodes, read_document
from nodespec.rules.format import CODES as FORMAT_CODES
from nodespec.rules.graph import NodeFacts, Whole, claimed_signals
from nodespec.rules.node import Surroundings
from nodespec.rules.tree import BROKEN_CONTRACT, UNREADABLE_FILE
from nodespec.schema import Contract
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    POLICIES,
    POLICY_SUFFIX,
    REGISTRY,
    REGULAR,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    UNREADABLE,
    Entry,
    is_node_path,
)
from nodespec.verdict import ALL, Report, Selection, blocked, family_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodespec.settings import Settings
    from nodespec.tree import Progress, Tree

_ILLEGIBLE = "SN"
"""The families that cannot say anything about a spec that cannot be read."""

_UNSEEN = "FSN"
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
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Judge a tree; with ``only``, report findings of these paths alone (the whole is still looked at for G)."""
    readable = [entry for entry in tree.entries if entry.mode in (REGULAR, EXECUTABLE)]
    findings = list(_listing_findings(tree))
    contracts, broken = _contracts(tree, readable)
    findings += broken
    knobs, settings_findings = _settings(tree, readable, contracts)
    findings += settings_findings
    desk = _Desk(tree, contracts.get(NODE_SCHEMA_PATH, ()), _surroundings(knobs, readable))
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
    if knobs is not None and whole_needed and legible:
        facts = [verdict.facts for verdict in verdicts if verdict.facts is not None]
        claimed = frozenset[str]().union(*(verdict.claimed for verdict in verdicts))
        findings += _graph_findings(tree, Whole.of(facts, claimed, knobs))
    families = family_states(selection, nodes=NODE_SCHEMA_PATH in contracts, knobs=knobs is not None, whole=legible)
    reported = readable if only is None else [entry for entry in readable if entry.path in only]
    return Report(
        label=tree.label,
        findings=_kept(findings, selection, only),
        files=len(reported),
        specs=sum(is_node_path(entry.path) for entry in reported),
        families=families,
        blocked=blocked(families, _wanting(missed, only), "TFSNG"),
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
    verdict = _Desk(tree, own, around).judge_document(path, document.parse(data), placed=False)
    families = family_states(selection, nodes=bool(own), knobs=around is not None, whole=False, tree=False)
    return Report(
        label=path,
        findings=_kept(verdict.findings, selection, None),
        files=1,
        specs=1,
        families=families,
        blocked=blocked(families, set(verdict.missed), "FSN" if tree is not None else "FS"),
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
    for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH):
        if path not in entries:
            continue
        try:
            data = tree.read(entries[path])
            own = (schema.builtin(path),)
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
        contracts: tuple[Contract, ...],
        around: Surroundings | None,
    ) -> None:
        self.tree = tree
        self.contracts = contracts
        self.around = around
        self.checks = [(entry.code, entry.check) for entry in rules.families_of("N") if entry.check]

    def judge_entry(self, entry: Entry) -> _Verdict:
        assert self.tree is not None
        try:
            text = read_document(self.tree, entry)
        except OSError as error:
            return _Verdict((_unreadable(entry.path, error),), missed=_ILLEGIBLE)
        if not is_node_path(entry.path):
            return _Verdict(tuple(_document_findings(entry.path, text)))
        return self.judge_document(entry.path, text)

    def judge_document(self, path: str, text: document.Document, *, placed: bool = True) -> _Verdict:
        findings = _document_findings(path, text) if text.problems else []
        if text.value is None or not self.contracts:
            return _Verdict(tuple(findings), missed=_ILLEGIBLE)
        if not all(contract.accepts(text.value) for contract in self.contracts):
            findings += _schema_findings(path, text, self.contracts)
            return _Verdict(tuple(findings), claimed=claimed_signals(text.value), missed="N")
        node = spec.from_value(text.value, path if placed else "")
        if self.around is not None:
            findings += [
                _finding(code, hit, path, text) for code, check in self.checks for hit in check(node, self.around)
            ]
        return _Verdict(tuple(findings), NodeFacts.of(node))


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


def _start_worker(tree: bytes, contracts: Sequence[bytes], around: Surroundings | None) -> None:
    import signal

    global _desk  # noqa: PLW0603  # a worker process has no other place to keep what it starts with
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # These bytes were pickled by the parent a moment ago and never left this machine's memory.
    _desk = _Desk(pickle.loads(tree), tuple(map(Contract, contracts)), around)


def _judge_chunk(entries: Sequence[Entry]) -> list[_Verdict]:
    assert _desk is not None
    return [_desk.judge_entry(entry) for entry in entries]


def _in_parallel(desk: _Desk, entries: Sequence[Entry], jobs: int, progress: Progress | None) -> list[_Verdict]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # fork, where it is safe (no threads of ours), saves each worker the imports.
    method = "fork" if os.uname().sysname == "Linux" else "spawn"
    start = partial(_start_worker, pickle.dumps(desk.tree), [contract.data for contract in desk.contracts], desk.around)
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
