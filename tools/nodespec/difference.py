"""Two snapshots, compared node by node and field by field, in words.

Lists of named things (signals, ports) are compared by name, so that an inserted entry is one addition
and not a shift of everything after it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from nodespec.encoding import quoted
from nodespec.finding import dotted
from nodespec.frozen import frozen
from nodespec.spec import LANES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import KeyPath
    from nodespec.registry import Snapshot
    from nodespec.spec import NodeSpec

Kind = Literal["added", "removed", "changed", "broken"]
"""Broken is a node whose file still stands there and is none any more."""

_NAMES = ("name", "signal")
"""The keys that identify an entry of a list of mappings."""


@frozen
class FieldChange:
    """One field: ``before`` or ``after`` is None where it is absent; ``words`` says it as a person would."""

    field: str
    before: Any
    after: Any
    words: str


@frozen
class NodeChange:
    """One node that was added, removed or changed, with the versions before and after."""

    id: str
    kind: Kind
    before: str | None
    after: str | None
    fields: tuple[FieldChange, ...] = ()


def between(base: Snapshot, head: Snapshot) -> tuple[NodeChange, ...]:
    """Return every change from ``base`` to ``head``, in order of id; what is known not to differ is not read."""
    paths = base.apart(head)
    before, after = (_by_id(snapshot, paths) for snapshot in (base, head))
    changes = []
    for identifier in sorted(before.keys() | after.keys()):
        old, new = before.get(identifier), after.get(identifier)
        if old is None or new is None or old.value != new.value:
            changes.append(change(identifier, old, new))
    return tuple(changes)


def _by_id(snapshot: Snapshot, paths: frozenset[str] | None) -> dict[str, NodeSpec]:
    if paths is None:
        return {node.id: node for node in snapshot}
    return {node.id: node for node in snapshot.at_paths(paths)}


def change(identifier: str, old: NodeSpec | None, new: NodeSpec | None) -> NodeChange:
    """Return what became of one node."""
    kind: Kind = "added" if old is None else "removed" if new is None else "changed"
    return NodeChange(
        id=identifier,
        kind=kind,
        before=old.version if old else None,
        after=new.version if new else None,
        fields=fields(old.value, new.value) if old and new else (),
    )


def introduction(node: NodeSpec) -> tuple[FieldChange, ...]:
    """Return what a reviewer asks of a node that is new: what it is, says, hears, and may do."""
    identity = f"lane {node.lane}, tier {node.tier}, {', '.join(node.roles)}; owner {node.owner}"
    said = [("identity", node.value.get("identity"), identity)]
    said += [("interfaces.signals.emits", emit.name, f"emits {emit.name} ({emit.sensitivity})") for emit in node.emits]
    said += [("interfaces.signals.subscribes", item.signal, f"subscribes to {item.signal}") for item in node.subscribes]
    for name, word, items in (("allow", "may", node.allow), ("deny", "never may", node.deny)):
        if items:
            said.append((f"identity.capabilities_policy.{name}", list(items), f"{word} {', '.join(items)}"))
    return tuple(FieldChange(field=name, before=None, after=value, words=words) for name, value, words in said)


def fields(old: dict[str, Any], new: dict[str, Any]) -> tuple[FieldChange, ...]:
    """Return the fields in which two specs differ, in the order of the specs."""
    return tuple(_compare((), old, new))


def _compare(path: KeyPath, old: Any, new: Any) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_mappings(path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        by_name = _named(old), _named(new)
        if by_name[0] is not None and by_name[1] is not None:
            yield from _compare_mappings(path, by_name[0], by_name[1])
        else:
            yield from _compare_lists(path, old, new)
    elif _exact(old) != _exact(new):
        yield _field(path, old, new)


def _compare_mappings(path: KeyPath, old: dict[str, Any], new: dict[str, Any]) -> Iterator[FieldChange]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key in old and key in new:
            yield from _compare((*path, key), old[key], new[key])
        else:
            yield _field((*path, key), old.get(key), new.get(key), only="new" if key in new else "old")


def _compare_lists(path: KeyPath, old: list[Any], new: list[Any]) -> Iterator[FieldChange]:
    name = dotted(path)
    before, after = [_exact(item) for item in old], [_exact(item) for item in new]
    for item, text in zip(old, before, strict=True):
        if text not in after:
            yield FieldChange(field=name, before=item, after=None, words=f"{name}: without {quoted(item)}")
    for item, text in zip(new, after, strict=True):
        if text not in before:
            yield FieldChange(field=name, before=None, after=item, words=f"{name}: with {quoted(item)}")
    if before != after and set(before) == set(after):
        how = "in another order" if sorted(before) == sorted(after) else "with other repetitions"
        yield FieldChange(field=name, before=old, after=new, words=f"{name}: {how}")


def _exact(value: Any) -> str:
    """Return a text that is equal only for values that are the same to JSON (1, 1.0 and true are three)."""
    return json.dumps(value, sort_keys=True)


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Return a list of mappings by their names; None when they have none, or one twice."""
    for key in _NAMES:
        if items and all(isinstance(item, dict) and isinstance(item.get(key), str) for item in items):
            named = {item[key]: item for item in items}
            return named if len(named) == len(items) else None
    return None if items else {}


def _field(path: KeyPath, old: Any, new: Any, only: str = "") -> FieldChange:
    return FieldChange(field=dotted(path), before=old, after=new, words=_words(path, old, new, only))


def _words(path: KeyPath, old: Any, new: Any, only: str) -> str:
    name = dotted(path)
    if path[:3] == ("interfaces", "signals", "emits") and len(path) == 4:
        return f"now emits {path[3]}" if only == "new" else f"no longer emits {path[3]}"
    if path[:3] == ("interfaces", "signals", "subscribes") and len(path) == 4:
        return f"now subscribes to {path[3]}" if only == "new" else f"no longer subscribes to {path[3]}"
    if only == "new":
        return f"{name} added" + (f": {quoted(new)}" if not isinstance(new, dict | list) else "")
    if only == "old":
        return f"{name} removed" + (f" (was {quoted(old)})" if not isinstance(old, dict | list) else "")
    if path == ("identity", "lane"):
        verb = "promoted" if LANES.index(new) > LANES.index(old) else "demoted"
        return f"{verb} from lane {old} to {new}"
    if path == ("identity", "tier"):
        return f"tier {'raised' if new > old else 'lowered'} from {old} to {new}"
    return f"{name}: {quoted(old)} → {quoted(new)}"
