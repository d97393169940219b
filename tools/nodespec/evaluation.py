"""The evaluation of one tree, whole or in part: its criteria, each rule family, and the report.

What :mod:`nodespec.judge` does for a whole tree, :mod:`nodespec.incremental` and :mod:`nodespec.gate` do for a change.
All three ask an :class:`Evaluation`: it examines documents (F, S, N, P, L), runs the families that see more than one (P
about chains, C, G, W), and puts together what was found and what could not run.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nodespec import rules, settings, waiver
from nodespec.criteria import (
    believed_settings,
    both,
    contracts_of,
    settings_of,
    surroundings_of,
    waivers_of,
)
from nodespec.examiner import UNANSWERED, Examiner, examine_all, finding, unvouched
from nodespec.policy.policies import Policies
from nodespec.provenance import Provenance
from nodespec.reading import may_hold_nodes
from nodespec.rules.change import Change
from nodespec.rules.graph import Whole
from nodespec.rules.waiver import Waived
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    POLICY_SCHEMA_PATH,
    REGULAR,
    SETTINGS_PATH,
    is_node_path,
    is_policy_path,
)
from nodespec.verdict import RUN, Report, Selection, blocked, family_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from nodespec.examiner import Examined
    from nodespec.finding import Finding
    from nodespec.rules.graph import NodeFacts, Part
    from nodespec.tree import Entry, Progress, Tree
    from nodespec.waiver import Waiver


_UNSEEN = "FSNPL"
"""The families that never open what is no regular file, or has another suffix."""


class Examination:
    """What came of the documents of a tree, or of a part of it.

    ``unseen`` says, by path, which families did not get to see what they should have, as letters.
    """

    def __init__(self, entries: Sequence[Entry], listed: Sequence[Entry], examined: Sequence[Examined]) -> None:
        self.documents = tuple(zip(entries, examined, strict=True))
        self.findings = [item for one in examined for item in one.findings]
        self.facts = {one.facts.path: one.facts for one in examined if one.facts is not None}
        self.claimed = frozenset[str]().union(*(one.claimed for one in examined))
        unseen = {entry.path: one.missed for entry, one in self.documents if one.missed}
        self.unseen = unseen | {
            entry.path: _UNSEEN for entry in listed if may_hold_nodes(entry) and not _is_seen(entry)
        }


class Evaluation:
    """The evaluation of one tree, whole or in part: its schemas, settings, policies, provenance, and the rules.

    With ``keep``, nodes that were examined in this process are at hand for family C, and are not read again. The
    policies that nodes must comply with are the tree's own and base's, unless others are given.
    """

    def __init__(
        self,
        tree: Tree,
        selection: Selection,
        now: datetime,
        base: Tree | None = None,
        *,
        policies: Policies | None = None,
        keep: bool = False,
    ) -> None:
        self.tree = tree
        self.selection = selection
        self.base = base
        self.now = now
        self.contracts, broken = contracts_of(tree)
        if base is not None:
            self.contracts = both(self.contracts, contracts_of(base)[0])
        knobs, unsettled = settings_of(tree, self.contracts)
        believed = believed_settings(base)
        self.knobs = settings.narrower(believed, knobs) if believed and knobs else knobs
        self.waivers, unwaived = waivers_of(tree, self.contracts)
        believed_waivers = waivers_of(base, self.contracts)[0] if base is not None else self.waivers
        self._holding = waiver.common(believed_waivers, self.waivers)
        self.unsettled = [*broken, *unsettled, *unwaived]
        self.provenance = Provenance(tree, self.knobs, now) if self.knobs is not None else None
        self._believed = Provenance(base, believed, now) if base is not None and believed is not None else None
        vouching = self.provenance if "P" in selection.families else None
        self.examiner = Examiner(
            tree,
            self.contracts,
            surroundings_of(self.knobs, tree),
            vouching,
            policies or self._policies(),
            kept={} if keep else None,
        )

    def _policies(self) -> Policies | None:
        """Return the tree's own policies and, where they differ, base's as well; None where none is to be judged by."""
        contracts = self.contracts.get(POLICY_SCHEMA_PATH)
        if "L" not in self.selection.families or self.knobs is None or contracts is None:
            return None
        own = Policies.of(self.tree, contracts)
        return own if self.base is None else own.joined(Policies.of(self.base, contracts))

    def prepare(self) -> None:
        """Have ready what takes a while to start, before nodes are examined."""
        if self.examiner.policies is not None:
            self.examiner.policies.prepare()

    def examine(
        self, entries: Sequence[Entry], listed: Sequence[Entry], jobs: int = 1, progress: Progress | None = None
    ) -> Examination:
        """Examine documents, each by itself (F, S, N, P, L); ``listed`` are all files, these among them."""
        return Examination(entries, listed, examine_all(self.examiner, entries, jobs, progress))

    @cached_property
    def change(self) -> Change | None:
        """The step from base to this tree; None without a base, or when one of them has no settings."""
        if self.provenance is None or self._believed is None:
            return None
        return Change(self._believed, self.provenance, self.examiner.kept)

    def vouched_for(
        self, paths: Iterable[str] | None, owners: Sequence[tuple[str, str]], handles: Iterable[str] = ()
    ) -> Iterator[Finding]:
        """Run what family P says about no single attestation; ``owners`` are nodes as (path, owner).

        With ``paths``, only these are looked at besides the trust root and the seal, and the owners ``handles``.
        """
        provenance = self.examiner.provenance
        if provenance is None:
            return
        found = provenance.problems() if paths is None else provenance.problems_at(paths, handles)
        for path, problem in (*found, *provenance.newcomer_quota(owners)):
            yield unvouched(path, problem, self.examiner.text_at(path))

    def followed(self) -> Iterator[Finding]:
        """Run family C, when there is a base."""
        if self.change is None:
            return
        for entry in rules.families_of("C"):
            assert entry.check is not None
            for hit in entry.check(self.change):
                yield finding(entry.code, hit, hit.path, self.examiner.text_at(hit.path))

    def sees_the_whole(self, missed: Mapping[str, str]) -> bool:
        """Say whether family G is asked for and can be run: every spec could be read, and there are settings."""
        return self.knobs is not None and "G" in self.selection.families and not _is_illegible(missed)

    def graph(self, nodes: Sequence[NodeFacts], claimed: frozenset[str], part: Part | None = None) -> Iterator[Finding]:
        """Run family G on all nodes, or on a part of them; a file is read again where there is something to show."""
        assert self.knobs is not None
        whole = Whole.of(nodes, claimed, self.knobs, part)
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
        looked: Callable[[Waiver], bool] | None = None,
    ) -> Report:
        """Return what was found; ``missed`` says, by path, which families did not see what they should have.

        ``looked`` says where a finding would have been found, had there been one; by default everywhere.
        """
        families = family_states(
            self.selection,
            nodes=NODE_SCHEMA_PATH in self.contracts,
            knobs=self.knobs is not None,
            whole=not _is_illegible(missed),
            trusted=self.examiner.provenance is not None and bool(self.examiner.provenance.roots),
            based=self.base is not None,
            policies=POLICY_SCHEMA_PATH in self.contracts,
        )
        found = list(findings)
        odd = any(item.code[0] == "T" or item.code == "N001" for item in found)  # asked for, or not
        findings, waived = waiver.split(found, self._holding, self.now)
        findings += self._about_waivers(waived, families, looked)
        unseen = missed if self.knobs is not None else missed | {SETTINGS_PATH: "S"}
        return Report(
            label=self.tree.label,
            findings=reported(findings, self.selection, only),
            files=files,
            specs=specs,
            families=families,
            blocked=blocked(families, _wanting(unseen, only), "TFSNPGL" if self.base is None else "TFSNPCGL"),
            undecided=_is_undecided(missed, only),
            complete=not unseen and only is None and not odd,
            waived=tuple(pair for pair in waived if pair[0].code in self.selection.codes),
            everything=tuple(sorted([*findings, *(item for item, _ in waived)], key=lambda item: item.order)),
        )

    def _about_waivers(
        self,
        waived: Sequence[tuple[Finding, Waiver]],
        families: Mapping[str, str],
        looked: Callable[[Waiver], bool] | None,
    ) -> Iterator[Finding]:
        """Run family W, which needs to know what the others found."""
        if self.provenance is None or not self.waivers:
            return
        holding = {one.subject for one in self._holding}
        about = Waived(
            waivers=self.waivers,
            used=frozenset(one.subject for _, one in waived),
            looked=lambda one: (
                families.get(one.code[0]) == RUN
                and one.subject in holding  # one that begins with this change was of no use to it
                and (looked is None or looked(one))
            ),
            provenance=self.provenance,
            now=self.now,
        )
        for entry in rules.families_of("W"):
            assert entry.check is not None
            for hit in entry.check(about):
                yield finding(entry.code, hit, hit.path, self.examiner.text_at(hit.path))


# What was missed, and what is reported.


def _is_illegible(missed: Mapping[str, str]) -> bool:
    """Say whether a spec could not be read, so that nobody knows what it emits."""
    return any("S" in letters for letters in missed.values())


def _is_seen(entry: Entry) -> bool:
    return entry.mode in (REGULAR, EXECUTABLE) and is_node_path(entry.path)


def _wanting(missed: dict[str, str], only: frozenset[str] | None) -> set[str]:
    """Return the families that did not see all they were asked about; G sees every spec or not the whole."""
    letters = {letter for path, missing in missed.items() if is_asked(path, only) for letter in missing}
    return letters | ({"G"} if any("N" in missing for missing in missed.values()) else set())


def _is_undecided(missed: Mapping[str, str], only: frozenset[str] | None) -> bool:
    """Say whether a policy could not be used, or gave no answer about what was asked."""
    return any(letters == UNANSWERED and is_asked(path, only) for path, letters in missed.items())


def is_asked(path: str, only: frozenset[str] | None) -> bool:
    """Say whether a file was asked about: all are, or it is one of them, or it judges them all."""
    return only is None or path in only or is_policy_path(path)


def reported(findings: Iterable[Finding], selection: Selection, only: frozenset[str] | None) -> tuple[Finding, ...]:
    """Return what is to be reported, in order, without what the schema says again about a refused scalar.

    What is wrong with the trust root, the seal or a policy is wrong with every file, so it is reported whichever are
    chosen.
    """
    chosen = [
        item
        for item in findings
        if item.code in selection.codes and (is_asked(item.path, only) or rules.RULES[item.code].concerns_all)
    ]
    refused = {(item.path, item.line, item.column) for item in chosen if item.code[0] == "F"}
    kept = [item for item in chosen if item.code[0] != "S" or (item.path, item.line, item.column) not in refused]
    return tuple(sorted(kept, key=lambda item: item.order))
