"""The policies of a registry: read, compiled when first needed, and asked about one node after another.

Policies are an argument of whoever judges, and need not be those of the tree that is judged: two sets can be joined, so
that nodes must comply with both.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nodespec import schema
from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.policy.limits import MAX_POLICIES, LostError
from nodespec.policy.source import Source, Written
from nodespec.policy.standing import Standing, subject
from nodespec.text import MAX_BYTES
from nodespec.tree import EXECUTABLE, POLICIES, POLICY_SCHEMA_PATH, REGULAR, is_policy_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodespec.policy.model import Policy, Rule
    from nodespec.policy.sandbox import Sandbox
    from nodespec.schema import Contract
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec
    from nodespec.tree import Tree

Outcome = Literal["violated", "unsigned", "undecided", "unusable"]
"""What becomes of a node that does not simply comply. Unsigned: it would, if its attestation verified. Unusable: the
policy cannot be used, which is told once, as a problem of the policy (:meth:`Policies.problems`)."""


MOST_ANSWERS = 10_000
"""Answers that are kept at hand: a few hundred bytes each."""


class Ruling(NamedTuple):
    """That a node does not comply with a rule, or that nobody knows; then ``reason`` says why.

    Without a rule, the policy as a whole has no answer.
    """

    policy: str
    rule: Rule | None
    outcome: Outcome
    reason: str = ""
    former: bool = False


class Policies:
    """Some policies, and the sandbox in which they are evaluated."""

    def __init__(self, sources: Iterable[Source], contracts: Sequence[Contract] = ()) -> None:
        """Take files in their order; ``contracts`` are those of the registry, by default the tool's own."""
        self.sources = tuple(dict.fromkeys(sources))
        self._contracts = contracts
        self._sandbox: Sandbox | None = None
        self._inside: set[int] = set()
        self._known: dict[int, bool] = {}
        self._lost: dict[int, str] = {}
        self._answers: dict[tuple[int, str], list[Any]] = {}

    @classmethod
    def of(cls, tree: Tree, contracts: Sequence[Contract] = ()) -> Policies:
        """Return the policies of a tree: whoever judges one commit after another meets the same again and again."""
        key = (os.getpid(), tuple(_files(tree)), tuple(contract.data for contract in contracts))
        found = _RECENT.pop(key, None)
        if found is None or found._lost:
            found = cls(key[1], contracts)
        _RECENT[key] = found
        while len(_RECENT) > _KEPT:
            del _RECENT[next(iter(_RECENT))]
        return found

    def joined(self, others: Policies) -> Policies:
        """Return these policies and former ones; what is the same in both counts once."""
        former = [Source(path, data, former=True) for path, data, _ in others.sources]
        more = [source for source in former if source._replace(former=False) not in self.sources]
        return Policies((*self.sources, *more), self._contracts) if more else self

    @cached_property
    def _forms(self) -> list[Written]:
        contracts = self._contracts or (schema.builtin(POLICY_SCHEMA_PATH),)
        forms = [Written(source, contracts) for source in self.sources]
        for former in (False, True):  # whoever adds policies does not push former ones out
            _exclude([form for form in forms if form.source.former is former])
        for number, form in enumerate(forms):
            if form.source.language == "rego" and form.is_askable:
                with suppress(LostError):
                    self._load(number, form)
        return forms

    def prepare(self) -> None:
        """Start the sandbox, so that it is there when the first node asks; without this, it is started then."""
        if self.sources and self._sandbox is None:
            self._open_sandbox()

    def _open_sandbox(self) -> Sandbox:
        self._sandbox, self._inside = _sandbox_for(self.sources), set()
        return self._sandbox

    def forms(self) -> Iterator[tuple[Source, Policy | None]]:
        """Yield each file, and the policy that it holds; None where it holds none that could be used."""
        for source, form in zip(self.sources, self._forms, strict=True):
            yield source, form.policy

    def policy(self, number: int) -> Policy:
        """Return the policy with this number; only to be asked for where it holds one."""
        policy = self._forms[number].policy
        assert policy is not None
        return policy

    # What is wrong with a policy.

    def problems(self, path: str) -> list[Hit]:
        """Return what is wrong with the policy at ``path``, apart from the text and the shape of YAML."""
        number = next(number for number, source in enumerate(self.sources) if source.path == path)
        form = self._forms[number]
        if form.unusable is not None:
            return [form.unusable]
        if form.is_askable:
            try:
                self._load(number, form)
            except LostError as lost:
                return [*form.trouble, Hit(message=f"the policy cannot be compiled: {lost}", at=("policy",))]
        return form.trouble

    # What policies say of a node.

    def judge(self, node: NodeSpec, standing: Standing, settings: Settings) -> list[Ruling]:
        """Return every rule that a node does not plainly comply with, of every policy that governs it."""
        numbers = [number for number, form in enumerate(self._forms) if form.may_govern(node)]
        found = self.judge_by(numbers, node, standing, settings) if numbers else []
        waiting = [item for item in found if item.outcome == "violated" and item.rule and item.rule.severity == "error"]
        signed = Standing(verified=True, attested=True, delegated=True, owner=node.owner)
        if not waiting or signed == standing:
            return found
        left = {item[:2] for item in self.judge_by(numbers, node, signed, settings)}
        mended = [item for item in waiting if item[:2] not in left]
        return [item._replace(outcome="unsigned") if item in mended else item for item in found]

    def judge_by(self, numbers: Iterable[int], node: NodeSpec, standing: Standing, settings: Settings) -> list[Ruling]:
        """Ask the policies with these numbers, whomever they govern."""
        told = None
        found: list[Ruling] = []
        for number in numbers:
            form, former = self._forms[number], self.sources[number].former
            try:
                usable = form.policy is not None and form.unusable is None and self._load(number, form)
                if form.policy is None or not usable:
                    found.append(Ruling(form.name, None, "unusable", former=former))
                    continue
                seen = form.sight.of(node, standing) if form.sight is not None else None
                answers = self._answers.get((number, seen)) if seen is not None else None
                if answers is None:
                    assert self._sandbox is not None
                    if told is not self._sandbox:
                        told = self._sandbox
                        told.tell({"subject": subject(node, standing, settings)})
                    answers = self._ask(number, {"judge": number})
                    self._remember(number, seen, answers)
            except LostError as lost:
                found.append(Ruling(form.name, None, "undecided", str(lost), former))
                continue
            for rule, answer in zip(form.policy.rules, answers, strict=True):
                if answer is False:
                    found.append(Ruling(form.name, rule, "violated", former=former))
                elif answer is not True:
                    found.append(Ruling(form.name, rule, "undecided", form.discreet(str(answer)), former))
        return [item for item in found if not (item.former and item.outcome in ("undecided", "unusable"))]

    def _remember(self, number: int, seen: str | None, answers: list[Any]) -> None:
        if seen is not None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[number, seen] = answers

    def _load(self, number: int, form: Written) -> bool:
        """Have a policy compiled, unless the sandbox has it already; say whether it can be used."""
        if number in self._lost:
            raise LostError(self._lost[number])
        if self._sandbox is None:
            self._open_sandbox()
        if number not in self._inside:
            answer = self._ask(number, form.question(number))
            self._inside.add(number)
            if number not in self._known:
                form.learn(answer)
                self._known[number] = not answer["problems"] and form.policy is not None
        return self._known[number]

    def _ask(self, number: int, question: dict[str, Any]) -> Any:
        """Ask the sandbox; a policy that it was lost over is not asked again."""
        assert self._sandbox is not None
        try:
            return self._sandbox.ask(question)
        except LostError as lost:
            self._sandbox = None
            self._lost[number] = str(lost)
            raise


_KEPT = 4
"""Sets of policies that are kept at hand, each with its sandbox: those of a change and of what it follows, twice."""

_RECENT: dict[tuple[int, tuple[Source, ...], tuple[bytes, ...]], Policies] = {}
"""The sets that were asked for last, the newest at the end. A process has its own: sandboxes are not shared."""


def start_early(tree: Tree) -> None:
    """Start the sandbox for the policies of a tree before they are read: it takes longest to be ready."""
    sources = [Source(entry.path, None) for entry in tree.below(POLICIES) if is_policy_path(entry.path)]
    if sources:
        _SPARE[os.getpid()] = (_languages(sources), _sandbox_for(sources))


def _sandbox_for(sources: Iterable[Source]) -> Sandbox:
    from nodespec.policy.sandbox import Sandbox  # late: where nobody is governed, no process is started

    languages = _languages(sources)
    spare = _SPARE.pop(os.getpid(), None)
    fits = spare is not None and spare[0] == languages and spare[1].is_there
    return spare[1] if spare is not None and fits else Sandbox(languages)


def _languages(sources: Iterable[Source]) -> list[str]:
    return sorted({source.language for source in sources})


_SPARE: dict[int, tuple[list[str], Sandbox]] = {}
"""The sandbox that was started before it was needed, by process."""


def _exclude(forms: Sequence[Written]) -> None:
    """Say of policies that are one too many, or of one name, that they must not be asked."""
    for position, form in enumerate(forms):
        others = [other.source.path for other in forms if other.name == form.name and other is not form]
        if others:
            fix = "Keep one of them: nodes refer to the name, and could mean either."
            form.unusable = Hit(message=f"{others[0]} has the same name", at=(), fix=fix)
        elif position >= MAX_POLICIES:
            message = f"there are {len(forms)} policies, and this one is beyond the limit of {MAX_POLICIES}"
            form.unusable = Hit(message=message, at=("policy",), fix="Join or remove some.")


def _files(tree: Tree) -> Iterator[Source]:
    for entry in tree.below(POLICIES):
        if entry.mode not in (REGULAR, EXECUTABLE) or not is_policy_path(entry.path):
            continue
        try:
            yield Source(entry.path, tree.read(entry) if tree.size(entry) <= MAX_BYTES else None)
        except OSError:
            yield Source(entry.path, None)


def said(ruling: Ruling) -> str:
    """Return a ruling as a message."""
    if ruling.rule is None:
        return f"policy {quoted(ruling.policy)} gave no answer: {ruling.reason}"
    before = " as it was before" if ruling.former else ""
    name = f"policy {ruling.policy}{before}, rule {ruling.rule.id}"
    if ruling.outcome == "undecided":
        return f"{name} gave no answer: {ruling.reason}"
    return f"{name}: {ruling.rule.message}"
