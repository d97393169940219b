"""The policies of a registry: read, compiled when first needed, and asked about one node after another.

Policies are an argument of whoever judges, and need not be those of the tree that is judged: two sets can be joined, so
that nodes must comply with both.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nodespec import document, schema
from nodespec.encoding import printable, quoted
from nodespec.finding import Hit
from nodespec.policy.box import Box, LostError
from nodespec.policy.form import from_value, oddities
from nodespec.policy.limits import MAX_POLICIES
from nodespec.policy.place import within_scalar
from nodespec.policy.standing import Standing, subject
from nodespec.text import MAX_BYTES
from nodespec.tree import (
    EXECUTABLE,
    POLICIES,
    POLICY_SCHEMA_PATH,
    REGULAR,
    is_policy_path,
    policy_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodespec.document import Document
    from nodespec.policy.form import Policy, Rule
    from nodespec.schema import Contract
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec
    from nodespec.tree import Tree

Outcome = Literal["violated", "unsigned", "undecided", "unusable"]
"""What becomes of a node that does not simply comply. Unsigned: it would, if its attestation verified. Unusable: the
policy cannot be used, which is told once, as a problem of the policy (:meth:`Policies.problems`)."""


UNREAD = f"the file cannot be read, or has more than {MAX_BYTES:,} bytes"


class Source(NamedTuple):
    """The file of a policy; without ``data``, one that cannot be read, or is too large to be.

    ``former`` is what base says where the tree says something else: a node must comply with it as well, but where it
    has no answer, the tree's own policies decide alone. Otherwise none that was ever wrong could be put right.
    """

    path: str
    data: bytes | None
    former: bool = False


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
    """Some policies, and the box in which they are evaluated."""

    def __init__(self, sources: Iterable[Source], contracts: Sequence[Contract] = ()) -> None:
        """Take files in their order; ``contracts`` are those of the registry, by default the tool's own."""
        self.sources = tuple(dict.fromkeys(sources))
        self._contracts = contracts
        self._box: Box | None = None
        self._inside: set[int] = set()
        self._lost: dict[int, str] = {}

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
    def _forms(self) -> list[_Form]:
        contracts = self._contracts or (schema.builtin(POLICY_SCHEMA_PATH),)
        forms = [_Form.of(source, contracts) for source in self.sources]
        for former in (False, True):  # whoever adds policies does not push former ones out
            for form in [form for form in forms if form.former is former][MAX_POLICIES:]:
                form.beyond = True
        return forms

    def prepare(self) -> None:
        """Start the box, so that it is there when the first node asks; without this, it is started then."""
        if self.sources and self._box is None:
            self._open_box()

    def _open_box(self) -> Box:
        self._box, self._inside = Box(["cel"]), set()
        return self._box

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
        """Return what is wrong with the policy at ``path``, apart from its text and its shape."""
        number = next(number for number, source in enumerate(self.sources) if source.path == path)
        form = self._forms[number]
        if form.beyond:
            message = f"there are {len(self.sources)} policies, and this one is beyond the limit of {MAX_POLICIES}"
            return [Hit(message=message, at=("policy",), fix="Join or remove some.")]
        if form.policy is None:
            return []
        hits = list(oddities(form.policy, path))
        try:
            return [*hits, *(self._hit(number, problem) for problem in self._load(number))]
        except LostError as lost:
            return [*hits, Hit(message=f"the policy cannot be compiled: {lost}", at=("policy",))]

    def _hit(self, number: int, problem: dict[str, Any]) -> Hit:
        form = self._forms[number]
        part, position = problem["part"]
        at = (part, position, "expr")
        message = f"this expression cannot be used: {_short(problem['text'])}"
        span = within_scalar(form.data, form.text, at, problem["line"], problem["column"])
        return Hit(message=message, at=at, span=span, fix=_KNOWN if "undeclared" in message else "")

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
        about = subject(node, standing, settings)
        told = None
        found: list[Ruling] = []
        for number in numbers:
            form = self._forms[number]
            if form.policy is None or form.beyond:
                found.append(Ruling(form.name, None, "unusable", former=form.former))
                continue
            try:
                if self._load(number):
                    found.append(Ruling(form.name, None, "unusable", former=form.former))
                    continue
                assert self._box is not None
                if told is not self._box:
                    told = self._box
                    told.tell({"subject": about})
                answers = self._ask(number, {"judge": number})
            except LostError as lost:
                found.append(Ruling(form.name, None, "undecided", str(lost), form.former))
                continue
            for rule, answer in zip(form.policy.rules, answers, strict=True):
                if answer is False:
                    found.append(Ruling(form.name, rule, "violated", former=form.former))
                elif answer is not True:
                    found.append(Ruling(form.name, rule, "undecided", form.discreet(str(answer)), form.former))
        return [item for item in found if not (item.former and item.outcome in ("undecided", "unusable"))]

    def _load(self, number: int) -> list[dict[str, Any]]:
        """Have a policy compiled, unless the box has it already; return why it cannot be used."""
        form = self._forms[number]
        if number in self._lost:
            raise LostError(self._lost[number])
        if self._box is None:
            self._open_box()
        if number not in self._inside:
            assert form.policy is not None
            question = {
                "load": number,
                "language": "cel",
                "variables": [list(item) for item in form.policy.variables],
                "rules": [item.expr for item in form.policy.rules],
            }
            form.problems = self._ask(number, question)
            self._inside.add(number)
        return form.problems

    def _ask(self, number: int, question: dict[str, Any]) -> Any:
        """Ask the box; a policy that it was lost over is not asked again."""
        assert self._box is not None
        try:
            return self._box.ask(question)
        except LostError as lost:
            self._box = None
            self._lost[number] = str(lost)
            raise


_KEPT = 4
"""Sets of policies that are kept at hand, each with its box: those of a change and of what it follows, twice."""

_RECENT: dict[tuple[int, tuple[Source, ...], tuple[bytes, ...]], Policies] = {}
"""The sets that were asked for last, the newest at the end. A process has its own: boxes are not shared."""


class _Form:
    """A policy's file as it was read: the policy, if it holds one, and what is needed to point into it."""

    def __init__(self, source: Source, text: Document | None, policy: Policy | None) -> None:
        self.name = policy_name(source.path) if is_policy_path(source.path) else policy.name if policy else source.path
        self.former = source.former
        self.data = source.data or b""
        self.text = text
        self.policy = policy
        self.beyond = False
        self.problems: list[dict[str, Any]] = []

    @classmethod
    def of(cls, source: Source, contracts: Sequence[Contract]) -> _Form:
        if source.data is None or len(source.data) > MAX_BYTES:
            return cls(source, None, None)
        text = document.parse(source.data)
        if source.former:  # whoever narrows the contract does not push former policies out
            contracts = (schema.builtin(POLICY_SCHEMA_PATH),)
        usable = text.value is not None and not text.problems
        if not usable or not all(contract.accepts(text.value) for contract in contracts):
            return cls(source, text, None)
        assert text.value is not None
        return cls(source, text, from_value(text.value))

    def may_govern(self, node: NodeSpec) -> bool:
        """Say whether a node has to comply; one that says nothing legible about its scope may govern every node."""
        return self.policy is None or self.policy.governs(node)

    def discreet(self, reason: str) -> str:
        """Return a reason without what it repeats of the node: only what the policy itself says may be repeated."""
        return _short(_QUOTATION.sub(lambda match: match[0] if match[1].encode() in self.data else '"…"', reason))


_KNOWN = (
    "Expressions know node, emits, provenance.verified, .attested, .delegated and .owner, registry.id and .sensitive, "
    "the variables above them as variables.NAME, and the functions of CEL."
)

_LONGEST = 160
"""Characters of what a library says that are repeated."""


def _short(text: str) -> str:
    return printable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


_QUOTATION = re.compile(r'"([^"]*)"')


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
