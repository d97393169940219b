"""The gate: a pull request, judged by what it changes.

Base is believed, head is on trial. Whom to trust, and by which settings, policies, contracts and waivers to judge, is
base's word; where head changes one of them, both must be content, and every node of the registry is judged anew. Where
it does not, only what differs is read:

1. The listing (T) of what has come, with whatever is odd about the folders on the way.
2. Every document that has come or changed, or whose signature has: its text, shape, meaning and owner (F, S, N, P).
3. The trust root, the seal, and owners that have come (P).
4. What may change from base to head (C).
5. The registry as a whole (G), as far as the change affects it: the nodes that share a signal with a changed node, the
   number of nodes that its owner holds, and names that look like a new one. Nothing else of the registry can have
   become wrong.

What was wrong in base already, in a file that the change does not touch, is not held against it. Nothing is judged
where there is no telling what merging gives (C019), nor by a contract or a policy that no maintainer sealed (C012).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from nodespec import difference, seal, settings
from nodespec.criteria import MAX_CONTRACT, listing_findings
from nodespec.encoding import quoted
from nodespec.evaluation import Evaluation
from nodespec.examiner import finding
from nodespec.finding import Hit
from nodespec.frozen import frozen
from nodespec.impact import Impact, folder_of
from nodespec.judge import MANY, judge
from nodespec.owner import PREFIX, Chain
from nodespec.provenance import Provenance
from nodespec.reading import read_checked
from nodespec.rule import FAMILIES, RULES
from nodespec.rules.evolution import MERGE_CONFLICT
from nodespec.rules.graph import DANGLING, NodeFacts, Part
from nodespec.rules.tree import NEEDED, missing_file
from nodespec.tree import (
    EXECUTABLE,
    NODES,
    OWNERS,
    POLICIES,
    REGULAR,
    SCHEMAS,
    SEAL_PATH,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONES,
    MemoryTree,
    attestation_path,
    folded,
    is_listed,
    is_node_path,
    is_tombstone_path,
    node_id,
    node_path,
    tombstone_path,
)
from nodespec.verdict import ALL, NOT_RUN, RUN, Report
from nodespec.workers import check_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nodespec.difference import NodeChange
    from nodespec.drift import Pair
    from nodespec.finding import Finding
    from nodespec.proposal import Conflict, Proposal
    from nodespec.roster import Roster
    from nodespec.rules.change import Change
    from nodespec.spec import NodeSpec
    from nodespec.tree import Entry, Progress, Tree


TWINS, MALFORMED, MISSING = "T006", "T007", "T008"
"""Rules of family T that are asked about more than the listing: about a whole repository, and what is gone from it."""

UNSEALED = "C012"

_UNSENT = "Keep what sent it, let another node send it, or change this node in the same pull request."

_COUNT = re.compile(r"\b[0-9][0-9,]*\b")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gate says of a proposal, and what a reviewer wants to know of it.

    ``pairs`` are the nodes that say something else than before, as (before, after); ``everywhere`` says that all nodes
    were judged, because something changed that decides about all of them; ``untouched``, that nothing was to be judged.
    ``word`` names the signed roster from which the gate knows of unchanged nodes, where it did not look for itself.
    """

    proposal: Proposal
    report: Report
    pairs: tuple[Pair, ...] = ()
    affected: tuple[Affected, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    everywhere: bool = False
    untouched: bool = False
    word: str = ""

    @cached_property
    def nodes(self) -> tuple[NodeChange, ...]:
        """What becomes of each node that can be read on either side, in words, in order of id."""
        return tuple(self._change(old, new) for old, new in self.pairs)

    def _change(self, old: NodeSpec | None, new: NodeSpec | None) -> NodeChange:
        node = cast("NodeSpec", new or old)
        found = difference.change(node.id, old, new)
        if old is None and new is not None:
            return replace(found, fields=difference.introduction(new))
        stands = new is None and self.proposal.tree.entry(node.path) is not None
        return replace(found, kind="broken") if stands else found

    @property
    def is_unjudged(self) -> bool:
        """Whether no rule was asked: there was nothing to judge, or no one tree to judge."""
        return RUN not in self.report.families.values()

    def exit_code(self, *, strict: bool = False) -> int:
        """0 clean or nothing of the registry touched, 1 findings, 3 what should have been judged could not be."""
        return 0 if self.untouched else self.report.exit_code(strict=strict)


@frozen
class Affected:
    """Nodes that a proposal does not touch, and that hear a signal of which it changes who sends it, and how."""

    signal: str
    what: str
    subscribers: tuple[str, ...]


def _no_roster() -> None:
    """Know nobody."""


def gate(
    proposal: Proposal,
    *,
    now: datetime,
    roster: Callable[[], Roster | None] = _no_roster,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Judgement:
    """Judge a proposal; raise ``RegistryError`` where base is no registry that could be believed.

    ``roster`` gives one of base, or of a commit not far from it, when it is asked for; without one, every node's file
    is read where it matters who else there is.
    """
    strange = _unsealed(proposal, now)
    if strange:
        return Judgement(proposal=proposal, report=_not_judged(proposal, strange))
    evaluation = Evaluation(proposal.tree, ALL, now, proposal.before, keep=True)
    run = _Run(proposal, evaluation, roster, jobs, progress)
    if run.conflicts:
        return _in_conflict(proposal, run.conflicts)
    if not run.touches_registry():
        return Judgement(proposal=proposal, report=_not_judged(proposal), untouched=True)
    report = run.everywhere() if run.decides_about_all() else run.by_difference()
    return Judgement(
        proposal=proposal,
        report=run.with_what_is_beside(replace(report, label=_label(proposal))),
        pairs=tuple(run.pairs()),
        affected=tuple(run.affected()),
        owners=tuple((handle, _name_of(evaluation.provenance, handle)) for handle in run.new_owners),
        everywhere=run.decides_about_all(),
        word="" if run.decides_about_all() else run.impact.word,
    )


def _name_of(provenance: Provenance | None, handle: str) -> str:
    """Return what an owner is called; nothing where its chain does not verify."""
    chain = provenance.chain(handle) if provenance is not None else None
    return chain.current.name if isinstance(chain, Chain) else ""


def _label(proposal: Proposal) -> str:
    return f"{proposal.head.short} into {proposal.base.short}"


def _in_conflict(proposal: Proposal, conflicts: Sequence[Conflict]) -> Judgement:
    findings = tuple(
        finding(MERGE_CONFLICT.code, Hit(message=item.what, fix=item.fix), item.path) for item in conflicts
    )
    return Judgement(proposal=proposal, report=_not_judged(proposal, findings))


def _unsealed(proposal: Proposal, now: datetime) -> tuple[Finding, ...]:
    """Return the contracts and policies that head brings and the maintainers did not seal (C012).

    Whoever writes one decides how long it takes to judge everybody by it, which may be for ever. So none is run before
    its seal has been seen: by the maintainers of head's trust root, where that goes on from base's.
    """
    tree = proposal.tree
    places = (f"{SCHEMAS}/", POLICIES)
    come = [entry for path in proposal.inside if path.startswith(places) and (entry := tree.entry(path))]
    if not come:
        return ()
    knobs = settings.from_value(read_checked(proposal.before, SETTINGS_PATH, SETTINGS_SCHEMA_PATH))
    believed, proposed = (Provenance(side, knobs, now) for side in (proposal.before, tree))
    sealed: dict[str, str] = {}
    data = proposed.read(SEAL_PATH)
    if data is not None and believed.roots and proposed.roots[: len(believed.roots)] == believed.roots:
        with suppress(ValueError):
            sealed = dict(seal.verify(data, proposed.roots, knobs.registry_id).files)
    files = [entry for entry in come if entry.mode in (REGULAR, EXECUTABLE)]
    strange = [entry for entry in files if sealed.get(entry.path) != _digest(tree, entry)]
    message = "no seal of the maintainers covers this file, by which all are judged; so nothing was judged yet"
    return tuple(finding(UNSEALED, Hit(message=message), entry.path) for entry in strange)


def _digest(tree: Tree, entry: Entry) -> str:
    """Return a file's SHA-256; that of none when it is larger than any may be."""
    return sha256(tree.read(entry)).hexdigest() if tree.size(entry) <= MAX_CONTRACT else ""


def _not_judged(proposal: Proposal, findings: tuple[Finding, ...] = ()) -> Report:
    families = dict.fromkeys(FAMILIES, NOT_RUN)
    return Report(label=_label(proposal), findings=findings, files=len(proposal.inside), specs=0, families=families)


@dataclass(frozen=True)
class _Run:
    """One proposal, the evaluation of its tree, and what both need to know of it."""

    proposal: Proposal
    evaluation: Evaluation
    roster: Callable[[], Roster | None]
    jobs: int | None
    progress: Progress | None

    # What is touched.

    @cached_property
    def change(self) -> Change | None:
        """The two sides, when both have settings."""
        return self.evaluation.change

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Every node of which a file, a signature or a tombstone differs."""
        folders = (NODES, TOMBSTONES)
        return tuple(sorted({node_id(path) for path in self.proposal.paths if path.startswith(folders)}))

    @cached_property
    def around(self) -> frozenset[str]:
        """The paths that are judged together with a touched node: its file, its tombstone, and what is signed."""
        files = [path for name in self.ids for path in (node_path(name), tombstone_path(name))]
        return frozenset([*self.proposal.inside, *files, *map(attestation_path, files)])

    @cached_property
    def impact(self) -> Impact:
        """The unchanged nodes that the change may affect."""
        was: dict[str, NodeFacts] = {}
        now: dict[str, NodeFacts] = {}
        if self.change is not None:
            found = ((path, self.change.earlier(path)) for path in sorted(self.around) if is_node_path(path))
            was = {path: NodeFacts.of(node) for path, node in found if node is not None}
            now = {path: was[path] for path in was.keys() - self.proposal.paths}
            now |= {versions.path: NodeFacts.of(versions.now) for versions in self.change.nodes}
        return Impact(
            self.evaluation,
            self.proposal.before,
            self.around,
            was=was,
            now=now,
            roster=self.roster,
            jobs=self._jobs,
            progress=self.progress,
        )

    def _jobs(self, files: int) -> int:
        if self.jobs is not None:
            return self.jobs
        return check_jobs(0) if files >= MANY else 1

    @cached_property
    def new_owners(self) -> tuple[str, ...]:
        """The handles of owners that base does not know."""
        files = (new.path for _, new in self.proposal.changes if new and new.mode in (REGULAR, EXECUTABLE))
        come = {path.split("/")[2] for path in files if path.startswith(OWNERS) and path.count("/") > 2}
        known = self.proposal.before.children(OWNERS.rstrip("/"))
        return tuple(PREFIX + name for name in sorted(come) if name not in known)

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """What registry.yaml protects on either side."""
        sides = (self.change.base, self.change.head) if self.change else ()
        return tuple(path for side in sides for path in side.settings.protected)

    @cached_property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Where nobody knows what merging gives, or where it could give something of the registry's."""
        return tuple(filter(None, map(self._deciding, self.proposal.conflicts)))

    def _deciding(self, item: Conflict) -> Conflict | None:
        """Return a conflict, and where the merged file could come to be; None where that is nothing to the registry."""
        target = next(filter(self._decides, item.reach), None)
        if target is not None:
            return item._replace(what=f"{item.what} ({quoted(target)})")
        return item if item.certain or self._decides(item.path) else None

    def _decides(self, path: str) -> bool:
        return is_listed(path) or seal.is_protected(path, self.listed)

    def touches_registry(self) -> bool:
        """Say whether anything differs that the gate is about."""
        protected = self.change is None or bool(self.change.protected)
        return bool(self.proposal.inside) or bool(self.proposal.defects) or protected or bool(self.twins)

    @cached_property
    def twins(self) -> tuple[Finding, ...]:
        """Files beside the registry that some file system takes for one in it, or for a protected one (T006)."""
        known = [folded(path) for path in self.listed]
        found = []
        for _, new in self.proposal.changes:
            if new is None or self._decides(new.path):
                continue
            seen = folded(new.path)
            if is_listed(seen) or seal.is_protected(seen, known):
                message = f"some file systems take this for {quoted(seen)}, which decides about the registry"
                found.append(finding(TWINS, Hit(message=message), new.path))
        return tuple(found)

    def decides_about_all(self) -> bool:
        """Say whether something differs that other nodes than the touched ones are judged by."""
        new = tuple(f"{OWNERS}{handle.removeprefix(PREFIX)}/" for handle in self.new_owners)
        alone = (NODES, TOMBSTONES, *new)
        return any(not path.startswith(alone) and path != SEAL_PATH for path in self.proposal.inside)

    # The two ways to judge.

    def everywhere(self) -> Report:
        """Judge every node, and leave out what is not new in files that are not touched."""
        tree, before = self.proposal.tree, self.proposal.before
        report = judge(tree, base=before, now=self.evaluation.now, jobs=self.jobs, progress=self.progress)
        if not tree.entries:  # to judge alone, that is no registry; to a base, it is one that is gone
            gone = (finding(MISSING, hit, hit.path) for hit in missing_file(tree))
            return replace(report, findings=(*report.findings, *gone))
        if all(item.path in self.around or RULES[item.code].concerns_all for item in report.findings):
            return report
        past = judge(before, now=self.evaluation.now, jobs=self.jobs, progress=self.progress)
        known = {_identity(item) for item in past.findings}
        return replace(report, findings=tuple(item for item in report.findings if self._is_new(item, known)))

    def _is_new(self, item: Finding, known: set[tuple[str, str, str]]) -> bool:
        return item.path in self.around or RULES[item.code].concerns_all or _identity(item) not in known

    def by_difference(self) -> Report:
        """Judge what differs, and what that affects."""
        tree = self.proposal.tree
        come = [pair[1] for pair in self.proposal.changes if pair[1] is not None and pair[1].path in self.around]
        documents = [path for path in sorted(self.around) if is_node_path(path) or is_tombstone_path(path)]
        entries = [entry for entry in map(tree.entry, documents) if entry and entry.mode in (REGULAR, EXECUTABLE)]
        examined = self.evaluation.examine(entries, come, self._jobs(len(entries)), self.progress)
        found = [*self._listed(come), *self.evaluation.unsettled, *examined.findings]
        found += self.evaluation.followed()
        if self.evaluation.sees_the_whole(examined.unseen):
            found += self._graph(examined.facts, examined.claimed)
        stray = sorted(path for path in self.around if path.startswith((NODES, TOMBSTONES)))
        found += self.evaluation.vouched_for(stray, self.impact.held(examined.facts.values()), self.new_owners)
        report = self.evaluation.report(
            found,
            examined.unseen,
            files=len(self.proposal.inside),
            specs=sum(map(is_node_path, self.proposal.inside)),
            looked=lambda one: one.path in self.around and one.code[0] != "G",
        )
        return replace(report, findings=tuple(item for item in report.findings if item.code[0] != "W"))

    def _listed(self, come: Sequence[Entry]) -> Iterator[Finding]:
        """Run family T on what has come; only names with capitals can be twins of what is there already."""
        if any(entry.path != entry.path.casefold() for entry in come):
            twins = {entry.path.casefold() for entry in come}  # of two, the other one may be the one that is found
            for item in listing_findings(self.proposal.tree):
                if item.path in self.around or (item.code == TWINS and item.path.casefold() in twins):
                    yield item
            return
        there = [entry for entry in map(self.proposal.tree.entry, NEEDED) if entry is not None]
        modes = {entry.path: entry.mode for entry in (*there, *come)}
        yield from listing_findings(MemoryTree(dict.fromkeys(modes, b""), modes=modes, defects=self.proposal.defects))

    def with_what_is_beside(self, report: Report) -> Report:
        """Add what is wrong beside the registry: twins of it, and folders on the way that no honest writer makes."""
        odd = (finding(MALFORMED, Hit(message=defect.what), defect.path) for defect in self.proposal.defects)
        known = {_identity(item) for item in report.findings}
        more = [item for item in (*self.twins, *odd) if _identity(item) not in known]
        return replace(report, findings=tuple(sorted([*report.findings, *more], key=lambda item: item.order)))

    def _graph(self, facts: dict[str, NodeFacts], claimed: frozenset[str]) -> Iterator[Finding]:
        """Run family G on what is affected; what it would have found in base as well is not new."""
        signals, owners = self.impact.affected
        others, left = self.impact.others
        was = self.impact.was
        names = self.impact.names_in(folder_of(path) for path in facts if path not in was)
        part = Part(signals, owners, tuple(names), frozenset(facts))
        known = {
            _identity(item) for item in self.evaluation.graph([*was.values(), *others], left, part._replace(names=()))
        }
        for item in self.evaluation.graph([*facts.values(), *others], claimed | left, part):
            if item.path in facts:
                yield item
            elif _identity(item) not in known:
                yield replace(item, fix=_UNSENT) if item.code == DANGLING else item

    # What a reviewer wants to know.

    @cached_property
    def sides(self) -> dict[str, Pair]:
        """Every node of which something differs, be it only a signature, before and after, by path."""
        if self.change is None:
            return {}
        now = {versions.path: versions.now for versions in self.change.nodes}
        found = ((path, self.change.earlier(path)) for path in map(node_path, self.ids))
        return {path: (old, now.get(path) if path in self.proposal.paths else old) for path, old in found}

    def pairs(self) -> Iterator[Pair]:
        """Yield each node that says something else than before, as (before, after)."""
        for old, new in self.sides.values():
            if old is not new and (old is None or new is None or old.value != new.value):
                yield old, new

    def affected(self) -> Iterator[Affected]:
        """Yield who hears the signals that others send otherwise than before, and is not touched."""
        sent: list[dict[str, list[str]]] = [{}, {}]
        for path, sides in self.sides.items():
            for side, node in zip(sent, sides, strict=True):
                for emit in node.emits if node else ():
                    side.setdefault(emit.name, []).append(f"{node_id(path)}, {emit.sensitivity}")
        for signal in sorted(sent[0].keys() | sent[1].keys()):
            before, after = sent[0].get(signal, []), sent[1].get(signal, [])
            hearing = tuple(node_id(node.path) for node in self.impact.others[0] if signal in node.subscribes)
            if before != after and hearing:
                what = f"{' and '.join(before) or 'nobody'} → {' and '.join(after) or 'nobody'}"
                yield Affected(signal=signal, what=what, subscribers=hearing)


def _identity(item: Finding) -> tuple[str, str, str]:
    """Return what makes a finding the same one when lines come and go, counts change, or another name is suggested."""
    return (item.code, item.path, _COUNT.sub("#", item.message.partition("; did you mean")[0]))
