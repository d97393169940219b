"""A policy as somebody wrote it, in YAML with CEL or in Rego: what it holds, and what the sandbox is asked about it.

What YAML holds is known from its text. What a module of Rego holds is what it says when it is evaluated, so the sandbox
is asked first, and says what ``policy`` is; that must fulfil the same contract.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec import document, schema
from nodespec.encoding import printable
from nodespec.finding import Hit, Span
from nodespec.policy.field_access import Sight
from nodespec.policy.model import from_value, oddities
from nodespec.policy.position import within_scalar
from nodespec.text import HIDDEN_CHARACTER, MAX_BYTES
from nodespec.tree import POLICY_SCHEMA_PATH, REGO_SUFFIX, is_policy_path, policy_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.document import Document
    from nodespec.policy.model import Policy
    from nodespec.schema import Contract
    from nodespec.spec import NodeSpec


UNREAD = f"the file cannot be read, or has more than {MAX_BYTES:,} bytes"


class Source(NamedTuple):
    """The file of a policy; without ``data``, one that cannot be read, or is too large to be.

    ``former`` is what base says where the tree says something else: a node must comply with it as well, but where it
    has no answer, the tree's own policies decide alone. Otherwise none that was ever wrong could be put right.
    """

    path: str
    data: bytes | None
    former: bool = False

    @property
    def language(self) -> str:
        """Which language it is written in."""
        return "rego" if self.path.endswith(REGO_SUFFIX) else "cel"


class Written:
    """A policy's file. ``policy`` is what it holds, None as long as nothing usable is known; ``trouble`` says why.

    ``unusable`` says that the policy must not be asked although it could be: one too many, or one of two of one name.
    ``sight`` is what its expressions look at, where that can be told.
    """

    def __init__(self, source: Source, contracts: Sequence[Contract]) -> None:
        self.source = source
        self.policy: Policy | None = None
        self.sight: Sight | None = None
        self.trouble: list[Hit] = []
        self.unusable: Hit | None = None
        self._text: Document | None = None
        # Whoever narrows the contract does not push former policies out.
        self._contracts = (schema.builtin(POLICY_SCHEMA_PATH),) if source.former else contracts
        if source.data is not None and len(source.data) <= MAX_BYTES:
            self._read(source.data)
        elif source.language == "rego":  # of YAML, the families that read documents say so
            self.trouble.append(Hit(message=UNREAD, at=()))

    def _read(self, data: bytes) -> None:
        if self.source.language == "rego":
            self.trouble += _unprintable(data)
            return
        self._text = document.parse(data)
        if self._text.value is not None and not self._text.problems:
            self._hold(self._text.value)

    def _hold(self, value: Any) -> None:
        if all(contract.accepts(value) for contract in self._contracts):
            self.policy = from_value(value)
            if self.source.language == "cel":
                written = [item.expr for item in self.policy.variables]
                self.sight = Sight(written + [item.expr for item in self.policy.rules])
            self.trouble += oddities(self.policy, self.source.path)

    @property
    def name(self) -> str:
        """The name by which nodes refer to it: the file's, whatever stands in it."""
        if is_policy_path(self.source.path):
            return policy_name(self.source.path)
        return self.policy.name if self.policy else self.source.path

    @property
    def is_askable(self) -> bool:
        """Whether the sandbox can make something of it."""
        if self.source.language == "rego":
            return self.source.data is not None and not self.trouble
        return self.policy is not None

    def question(self, number: int) -> dict[str, Any]:
        """Return what the sandbox is told, so that it knows the policy by this number."""
        question: dict[str, Any] = {"load": number, "language": self.source.language}
        if self.source.language == "rego":
            name = policy_name(self.source.path) if is_policy_path(self.source.path) else ""
            return question | {"name": name, "text": (self.source.data or b"").decode("utf-8")}
        assert self.policy is not None
        return question | {
            "variables": [list(item) for item in self.policy.variables],
            "rules": [item.expr for item in self.policy.rules],
        }

    def learn(self, answer: dict[str, Any]) -> None:
        """Take in what the sandbox made of it."""
        if self.policy is None and not answer["problems"]:
            self._hold(answer["policy"])
            if self.policy is None:
                self.trouble += self._misshapen(answer["policy"])
        self.trouble += [self._hit(problem) for problem in answer["problems"]]

    def _misshapen(self, value: Any) -> list[Hit]:
        """Return what contracts have against what a module says of itself, at the rule that says it."""
        rows = (self.source.data or b"").decode("utf-8").split("\n")
        row = next((number for number, line in enumerate(rows, 1) if line.startswith("policy ")), 1)
        hits = {hit.message: hit for contract in self._contracts for hit in contract.violations(value)}
        return [Hit(message=hit.message, at=hit.at, span=Span(line=row), fix=hit.fix) for hit in hits.values()]

    def _hit(self, problem: dict[str, Any]) -> Hit:
        line, column = problem["line"], problem["column"]
        message = f"this expression cannot be used: {short(problem['text'])}"
        if not problem["part"]:
            span = Span(line=max(1, line), column=max(1, column))
            return Hit(message=message.replace("expression", "policy", 1), at=(), span=span)
        at = (*problem["part"], "expr")
        span = within_scalar(self.source.data or b"", self._text, at, line, column)
        return Hit(message=message, at=at, span=span, fix=_KNOWN if "undeclared" in message else "")

    def may_govern(self, node: NodeSpec) -> bool:
        """Say whether a node has to comply; one that says nothing legible about its scope may govern every node."""
        return self.policy is None or self.policy.governs(node)

    def discreet(self, reason: str) -> str:
        """Return a reason without what it repeats of the node: only what the policy itself says may be repeated."""
        own = self.source.data or b""
        return short(_QUOTATION.sub(lambda match: match[0] if match[1].encode() in own else '"…"', reason))


_KNOWN = (
    "Expressions know node, emits, provenance.verified, .attested, .delegated and .owner, registry.id and .sensitive, "
    "the variables above them as variables.NAME, and the functions of CEL."
)

_LONGEST = 160
"""Characters of what a library says that are repeated."""

_QUOTATION = re.compile(r'"([^"]*)"')

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What is no text, except for tabs, with which Rego is usually written, and line feeds."""


def short(text: str) -> str:
    """Return what a library says, cut and made printable."""
    return printable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def _unprintable(data: bytes) -> list[Hit]:
    """Return why a text is no module that people could read as it is."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [Hit(message=f"the file is not UTF-8 (byte {error.start})", at=())]
    found = _CONTROL.search(text) or re.search(HIDDEN_CHARACTER, text)
    if found is None:
        return []
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    message = f"U+{ord(found.group()):04X} hides or reorders text, or controls the terminal"
    return [Hit(message=message, at=(), span=Span(line=line, column=column), fix="Remove it.")]
