"""All rules over one tree.

The order of work: the listing (family T), the settings and the contracts, then each document by itself
(F, S, N, P; :mod:`nodespec.examiner`), in parallel when asked, then the registry as a whole: the trust root and
the owners (P), what changed since a base (C), the graph (G). What cannot be judged, because this version has no
rules for it or because the settings or a contract are unusable, is reported as "not run" and never counts as passed.

Families N and P see only specs that fulfil the schema, and so does G: the meaning of a misshapen document is not
defined. Its file has findings already. When a spec cannot be read at all, nobody knows what it emits, and G is not run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nodespec import builtin, document, rules, schema, settings
from nodespec.crew import check_jobs
from nodespec.examiner import (
    Examiner,
    examine_all,
    finding,
    shape_findings,
    text_findings,
    unreadable,
    unvouched,
)
from nodespec.finding import Finding, Hit
from nodespec.provenance import Provenance
from nodespec.reading import may_hold_nodes, read_checked, read_document
from nodespec.rules.change import Change
from nodespec.rules.graph import Whole
from nodespec.rules.node import Surroundings
from nodespec.rules.tree import BROKEN_CONTRACT, UNREADABLE_FILE
from nodespec.schema import Contract
from nodespec.tree import (
    ATTESTATION_SUFFIX,
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    OWNERS,
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
)
from nodespec.verdict import ALL, Report, Selection, blocked, family_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nodespec.examiner import Examined
    from nodespec.rules.graph import NodeFacts
    from nodespec.settings import Settings
    from nodespec.tree import Progress, Tree

_ALL_CORES_FROM = 2000
"""Files from which a second process is worth its start."""

_UNSEEN = "FSNP"
"""The families that never open what is no regular file, or has another suffix."""

_FOR_ALL = frozenset(
    ["P001", "P002", "P003", "P004", "P030", "P031", *(f"C{number:03}" for number in (4, 5, 6, 7, 8, 9, 11))]
)
"""What is wrong with the trust root, the seal, or the past is wrong with every file."""


def judge(
    tree: Tree,
    *,
    selection: Selection = ALL,
    only: frozenset[str] | None = None,
    base: Tree | None = None,
    now: datetime | None = None,
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> Report:
    """Judge a tree.

    With ``only``, findings of these paths alone are reported (the whole is still looked at for G). With ``base``, the
    tree that this one follows, family C runs, and settings count as far as both trees grant them. ``now`` is the moment
    at which an expiry is judged; by default this one. ``jobs`` are processes; None is as many as the work is worth.
    """
    only = None if only is None else _with_those_it_is_about(tree, only)
    court = Court(tree, selection, now or datetime.now(UTC), base)
    readable = [entry for entry in tree.entries if entry.mode in (REGULAR, EXECUTABLE)]
    entries = [entry for entry in readable if _is_to_examine(entry.path, selection, only)]
    worth = check_jobs(0) if len(entries) >= _ALL_CORES_FROM else 1
    examined = court.examine(entries, worth if jobs is None else jobs, progress)
    findings = [*_listing_findings(tree), *court.unsettled, *(found for one in examined for found in one.findings)]
    missed = _missed(tree, entries, examined)
    owners = [(one.facts.path, one.facts.owner) for one in examined if one.facts]
    findings += court.vouched_for(None, owners)
    findings += court.followed()
    claimed = frozenset[str]().union(*(one.claimed for one in examined))
    if court.sees_the_whole(missed):
        findings += court.graph([one.facts for one in examined if one.facts is not None], claimed)
    reported = readable if only is None else [entry for entry in readable if entry.path in only]
    nodes = sum(is_node_path(entry.path) for entry in reported)
    return court.report(findings, missed, files=len(reported), specs=nodes, only=only)


class Court:
    """What is needed to judge a tree, whether all of it or what has changed: contracts, settings, whom to believe."""

    def __init__(self, tree: Tree, selection: Selection, now: datetime, base: Tree | None = None) -> None:
        self.tree = tree
        self.selection = selection
        self.base = base
        self.contracts, broken = _contracts(tree)
        knobs, unsettled = _settings(tree, self.contracts)
        believed = _believed_settings(base)
        self.knobs = settings.narrower(believed, knobs) if believed and knobs else knobs
        self.unsettled = [*broken, *unsettled]
        self.provenance = Provenance(tree, self.knobs, now) if self.knobs is not None else None
        self._believed = Provenance(base, believed, now) if base is not None and believed is not None else None
        vouching = self.provenance if "P" in selection.families else None
        self.examiner = Examiner(tree, self.contracts, _surroundings(self.knobs, tree), vouching)

    def examine(self, entries: Sequence[Entry], jobs: int = 1, progress: Progress | None = None) -> list[Examined]:
        """Examine documents, each by itself (F, S, N, P)."""
        return examine_all(self.examiner, entries, jobs, progress)

    def vouched_for(self, paths: Iterable[str] | None, owners: Sequence[tuple[str, str]]) -> Iterator[Finding]:
        """Run what family P says about no single attestation; ``owners`` are nodes as (path, owner).

        With ``paths``, only these are looked at besides the trust root and the seal.
        """
        provenance = self.examiner.provenance
        if provenance is None:
            return
        found = provenance.problems() if paths is None else provenance.problems_at(paths)
        for path, problem in (*found, *provenance.newcomer_quota(owners)):
            yield unvouched(path, problem, self.examiner.text_at(path))

    def followed(self) -> Iterator[Finding]:
        """Run family C, when there is a base."""
        if self.provenance is None or self._believed is None:
            return
        change = Change(self._believed, self.provenance)
        for entry in rules.families_of("C"):
            assert entry.check is not None
            for hit in entry.check(change):
                yield finding(entry.code, hit, hit.path, self.examiner.text_at(hit.path))

    def sees_the_whole(self, missed: Mapping[str, str]) -> bool:
        """Say whether family G is asked for and can be run: every spec could be read, and there are settings."""
        return self.knobs is not None and "G" in self.selection.families and not _is_illegible(missed)

    def graph(self, nodes: Sequence[NodeFacts], claimed: frozenset[str]) -> Iterator[Finding]:
        """Run family G; a file is read again where there is something to show."""
        assert self.knobs is not None
        whole = Whole.of(nodes, claimed, self.knobs)
        for entry in rules.families_of("G"):
            assert entry.check is not None
            for hit in entry.check(whole):
                yield finding(entry.code, hit, hit.path, self.examiner.text_at(hit.path))

    def report(
        self,
        findings: Iterable[Finding],
        missed: dict[str, str],
        *,
        files: int,
        specs: int,
        only: frozenset[str] | None = None,
    ) -> Report:
        """Return what was found; ``missed`` says, by path, which families did not see what they should have."""
        families = family_states(
            self.selection,
            nodes=NODE_SCHEMA_PATH in self.contracts,
            knobs=self.knobs is not None,
            whole=not _is_illegible(missed),
            trusted=self.examiner.provenance is not None and bool(self.examiner.provenance.roots),
            based=self.base is not None,
        )
        findings = list(findings)
        odd = any(item.code[0] == "T" or item.code == "N001" for item in findings)  # asked for, or not
        unseen = missed if self.knobs is not None else missed | {SETTINGS_PATH: "S"}
        return Report(
            label=self.tree.label,
            findings=_kept(findings, self.selection, only),
            files=files,
            specs=specs,
            families=families,
            blocked=blocked(families, _wanting(unseen, only), "TFSNPG" if self.base is None else "TFSNPCG"),
            complete=not unseen and only is None and not odd,
        )


def judge_text(data: bytes, *, tree: Tree | None, path: str, selection: Selection = ALL) -> Report:
    """Judge one spec that stands nowhere in a registry (standard input, a draft): families F, S and N.

    The registry around it, if there is one, gives the contract and the settings. Without one, whether a
    policy exists or a signal is sensitive cannot be known, and N is not run.
    """
    contracts: dict[str, tuple[Contract, ...]] = {}
    around = None
    if tree is not None:
        contracts, _ = _contracts(tree)
        around = _surroundings(_settings(tree, contracts)[0], tree)
    own = contracts.get(NODE_SCHEMA_PATH, ()) if tree is not None else (schema.builtin(NODE_SCHEMA_PATH),)
    examiner = Examiner(tree, {NODE_SCHEMA_PATH: own} if own else {}, around)
    examined = examiner.examine_node(path, document.parse(data), placed=False)
    families = family_states(selection, nodes=bool(own), knobs=around is not None, whole=False, tree=False)
    return Report(
        label=path,
        findings=_kept(examined.findings, selection, None),
        files=1,
        specs=1,
        families=families,
        blocked=blocked(families, set(examined.missed) - {"P"}, "FSN" if tree is not None else "FS"),
    )


# What is looked at, what was missed, and what is reported of it.


def _is_to_examine(path: str, selection: Selection, only: frozenset[str] | None) -> bool:
    """Say whether a document is examined: when it is asked for, and for what others must know of it.

    G must know who emits what, and what tombstones leave dangling; P, how many nodes a newcomer holds.
    """
    if not path.startswith(f"{REGISTRY}/") or not path.endswith(".yaml") or path == SETTINGS_PATH:
        return False
    if only is None or path in only:
        return True
    return bool(selection.families & {"G", "P"}) and (is_node_path(path) or is_tombstone_path(path))


def _missed(tree: Tree, entries: Sequence[Entry], examined: Sequence[Examined]) -> dict[str, str]:
    """Return, by path, the letters of the families that did not get to see what they should have."""
    missed = {entry.path: one.missed for entry, one in zip(entries, examined, strict=True) if one.missed}
    return missed | {entry.path: _UNSEEN for entry in tree.entries if may_hold_nodes(entry) and not _is_seen(entry)}


def _is_illegible(missed: Mapping[str, str]) -> bool:
    """Say whether a spec could not be read, so that nobody knows what it emits."""
    return any("S" in letters for letters in missed.values())


def _is_seen(entry: Entry) -> bool:
    return entry.mode in (REGULAR, EXECUTABLE) and is_node_path(entry.path)


def _wanting(missed: dict[str, str], only: frozenset[str] | None) -> set[str]:
    """Return the families that did not see all they were asked about; G sees every spec or not the whole."""
    letters = {letter for path, missing in missed.items() if only is None or path in only for letter in missing}
    return letters | ({"G"} if any("N" in missing for missing in missed.values()) else set())


def _with_those_it_is_about(tree: Tree, only: frozenset[str]) -> frozenset[str]:
    """Add what signed files are about: a node to its attestation, an owner's whole chain to one of its records."""
    subjects = {path.removesuffix(ATTESTATION_SUFFIX) + ".yaml" for path in only if path.endswith(ATTESTATION_SUFFIX)}
    folders = tuple(path.rpartition("/")[0] + "/" for path in only if path.startswith(OWNERS))
    known = (entry.path for entry in tree.entries)
    return only | {path for path in known if path in subjects or (folders and path.startswith(folders))}


def _kept(findings: Iterable[Finding], selection: Selection, only: frozenset[str] | None) -> tuple[Finding, ...]:
    """Return what is to be reported, in order, without what the schema says again about a refused scalar.

    What is wrong with the trust root or the seal is wrong with every file, so it is reported whichever are chosen.
    """
    chosen = [
        item
        for item in findings
        if item.code in selection.codes and (only is None or item.path in only or item.code in _FOR_ALL)
    ]
    refused = {(item.path, item.line, item.column) for item in chosen if item.code[0] == "F"}
    kept = [item for item in chosen if item.code[0] != "S" or (item.path, item.line, item.column) not in refused]
    return tuple(sorted(kept, key=lambda item: item.order))


# Before any document: the listing, the contracts and the settings.


def _listing_findings(tree: Tree) -> Iterator[Finding]:
    if not tree.entries and not tree.defects:
        return
    for entry in rules.families_of("T"):
        assert entry.check is not None
        for hit in entry.check(tree):
            yield finding(entry.code, hit, hit.path)
    for item in tree.entries:
        if item.mode == UNREADABLE:
            yield finding(UNREADABLE_FILE.code, Hit(message="the folder cannot be opened"), item.path)


def _contracts(tree: Tree) -> tuple[dict[str, tuple[Contract, ...]], list[Finding]]:
    """Return the contracts that apply: the tree's own, and the tool's where the two differ.

    A registry may narrow its contract. It cannot widen what this code relies on, so both must accept.
    """
    contracts: dict[str, tuple[Contract, ...]] = {}
    findings = []
    for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH):
        own = (schema.builtin(path),)
        entry = _readable(tree, path)
        if entry is None:
            if path == TOMBSTONE_SCHEMA_PATH:  # registries that have buried nothing need not carry it
                contracts[path] = own
            continue
        try:
            data = tree.read(entry)
            contracts[path] = own if data == builtin.contract(path) else (Contract(data), *own)
        except OSError as error:
            findings.append(unreadable(path, error))
        except ValueError as error:
            findings.append(finding(BROKEN_CONTRACT.code, Hit(message=f"the schema cannot be used: {error}"), path))
    return contracts, findings


def _readable(tree: Tree, path: str) -> Entry | None:
    entry = tree.entry(path)
    return entry if entry is not None and entry.mode in (REGULAR, EXECUTABLE) else None


def _settings(tree: Tree, contracts: dict[str, tuple[Contract, ...]]) -> tuple[Settings | None, list[Finding]]:
    entry = _readable(tree, SETTINGS_PATH)
    if entry is None or SETTINGS_SCHEMA_PATH not in contracts:
        return None, []
    try:
        text = read_document(tree, entry)
    except OSError as error:
        return None, [unreadable(entry.path, error)]
    findings = text_findings(entry.path, text)
    if text.value is not None:
        findings += shape_findings(entry.path, text, contracts[SETTINGS_SCHEMA_PATH])
    return (None, findings) if findings or text.value is None else (settings.from_value(text.value), [])


def _believed_settings(base: Tree | None) -> Settings | None:
    """Return a base's own settings; raise ``RegistryError`` when it has none."""
    if base is None:
        return None
    return settings.from_value(read_checked(base, SETTINGS_PATH, SETTINGS_SCHEMA_PATH))


def _surroundings(knobs: Settings | None, tree: Tree) -> Surroundings | None:
    if knobs is None:
        return None
    names = (entry.path.removeprefix(POLICIES) for entry in tree.below(POLICIES) if _readable(tree, entry.path))
    policies = frozenset(name.removesuffix(POLICY_SUFFIX) for name in names if name.endswith(POLICY_SUFFIX))
    return Surroundings(settings=knobs, policies=policies)
