"""A query: filters that a node must all pass.

=============  ==================================================================================
filter         a node passes when
=============  ==================================================================================
signal         it emits or subscribes to this signal
emits          it emits this signal
subscribes     it subscribes to this signal
capability     it has this capability (:mod:`nodespec.capability`: whole segments, deny wins)
owner          its owner is this handle; the first 8 or more of the 64 digits are enough
lane           it is in this lane
tier           its tier is ``4``, or compares: ``>=4``, ``>4``, ``<=4``, ``<4``, or lies in ``2..5``
role           it has this role
type           its node type is this one; ``matriz.memory.*`` means every type below
text           its id, description or a role holds this text, whatever the case
=============  ==================================================================================

A filter that cannot be understood is a :class:`~nodespec.errors.UsageError`, never a filter that lets
everything pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodespec import capability as capabilities
from nodespec.encoding import quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen
from nodespec.spec import LANES, MAX_TIER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nodespec.spec import NodeSpec

MIN_OWNER_DIGITS = 8

_TIER = re.compile(r"(>=|<=|>|<|=|)\s*([0-9])\Z|([0-9])\.\.([0-9])\Z")
_OWNER = re.compile(r"(?:GLYMPH:)?([0-9a-f]{8,64})\Z")
_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*(?:\.\*)?\Z|\*\Z")
_SIGNAL = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\Z")

Words = str | tuple[str, ...]


@frozen
class Question:
    """Parsed filters; every field holds what must all be true."""

    signal: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    capability: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    owner: str = ""
    lane: str = ""
    tier: frozenset[int] | None = None
    type: str = ""
    text: str = ""

    def matches(self, node: NodeSpec) -> bool:
        """Say whether a node passes every filter."""
        emitted = {emit.name for emit in node.emits}
        received = {item.signal for item in node.subscribes}
        return (
            (not self.lane or node.lane == self.lane)
            and (self.tier is None or node.tier in self.tier)
            and (not self.owner or node.owner.startswith(self.owner))
            and (not self.type or _type_matches(self.type, node.node_type))
            and all(name in emitted or name in received for name in self.signal)
            and all(name in emitted for name in self.emits)
            and all(name in received for name in self.subscribes)
            and all(role in node.roles for role in self.role)
            and all(capabilities.has(node.allow, node.deny, wanted) for wanted in self.capability)
            and (not self.text or _text_matches(self.text, node))
        )


def ask(
    *,
    signal: Words = (),
    emits: Words = (),
    subscribes: Words = (),
    capability: Words = (),
    role: Words = (),
    owner: str | None = None,
    lane: str | None = None,
    tier: str | int | None = None,
    type: str | None = None,  # noqa: A002  # the filter's name in every interface
    text: str | None = None,
) -> Question:
    """Parse filters; raise ``UsageError`` for one that cannot be understood. No filter at all matches every node."""
    return Question(
        signal=_each(signal, _signal),
        emits=_each(emits, _signal),
        subscribes=_each(subscribes, _signal),
        capability=_each(capability, capabilities.check_question),
        role=_each(role, _role),
        owner="" if owner is None else _owner(owner),
        lane="" if lane is None else _lane(lane),
        tier=None if tier is None else _tier(str(tier)),
        type="" if type is None else _type(type),
        text="" if text is None else _text(text),
    )


def _each(words: Words | None, check: Callable[[str], str]) -> tuple[str, ...]:
    listed: Iterable[str] = (words,) if isinstance(words, str) else words or ()
    return tuple(check(word) for word in listed)


def _signal(text: str) -> str:
    if not _SIGNAL.match(text):
        raise UsageError(f"{quoted(text)} is not a signal name", hint="expected, for example, memory_stored")
    return text


def _role(text: str) -> str:
    if not text:
        raise UsageError("an empty role matches nothing", hint="expected, for example, archivist")
    return text


def _owner(text: str) -> str:
    match = _OWNER.match(text)
    if not match:
        hint = f"expected GLYMPH: and 64 hex digits, or at least the first {MIN_OWNER_DIGITS} of them"
        raise UsageError(f"{quoted(text)} is not an owner handle", hint=hint)
    return f"GLYMPH:{match[1]}"


def _lane(text: str) -> str:
    if text not in LANES:
        raise UsageError(f"{quoted(text)} is not a lane", hint=f"expected one of {', '.join(LANES)}")
    return text


def _tier(text: str) -> frozenset[int]:
    match = _TIER.match(text.strip())
    tiers = frozenset(range(MAX_TIER + 1))
    if not match:
        hint = f"expected 0 to {MAX_TIER}, a comparison such as '>=4' (in quotes), or a range such as 2..5"
        raise UsageError(f"{quoted(text)} is not a tier", hint=hint)
    if match[3]:
        wanted = frozenset(range(int(match[3]), int(match[4]) + 1))
    else:
        limit = int(match[2])
        compare: dict[str, Callable[[int], bool]] = {
            ">=": limit.__le__,
            "<=": limit.__ge__,
            ">": limit.__lt__,
            "<": limit.__gt__,
            "=": limit.__eq__,
            "": limit.__eq__,
        }
        wanted = frozenset(filter(compare[match[1]], tiers))
    if not wanted & tiers:
        raise UsageError(f"no tier fulfils {quoted(text)}", hint=f"tiers go from 0 to {MAX_TIER}")
    return wanted & tiers


def _type(text: str) -> str:
    if not _TYPE.match(text):
        hint = "expected, for example, matriz.memory.adapter or matriz.memory.*"
        raise UsageError(f"{quoted(text)} is not a node type", hint=hint)
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise UsageError("an empty text matches everything", hint="leave out --text to see every node")
    return text.casefold()


def _type_matches(pattern: str, node_type: str) -> bool:
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return node_type.startswith(pattern[:-1])
    return node_type == pattern


def _text_matches(text: str, node: NodeSpec) -> bool:
    return any(text in field.casefold() for field in (node.id, node.description, *node.roles))
