"""What became of a node, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable

if TYPE_CHECKING:
    from nodespec.difference import NodeChange
    from nodespec.report.text import Paint


_SIGNS = {"added": ("+", "ok"), "removed": ("-", "error"), "changed": ("~", "warning"), "broken": ("!", "error")}


def change_text(change: NodeChange, paint: Paint) -> str:
    """Return a node's change: its versions, then a line for each field."""
    sign, purpose = _SIGNS[change.kind]
    lines = [f"{paint(sign, purpose)} {paint(change.id, 'strong')} ({versions(change)})"]
    lines += [f"    {printable(field.words)}" for field in change.fields if field.field != "metadata.version"]
    return "\n".join(lines) + "\n"


def versions(change: NodeChange) -> str:
    """Return a node's versions before and after, as people read them."""
    if change.kind == "broken":
        return f"{change.before}, now a file that is no node"
    if change.before == change.after and change.kind == "changed":
        return f"{change.after}, version unchanged"
    return " → ".join(version for version in (change.before, change.after) if version)


def change_fields(change: NodeChange) -> dict[str, Any]:
    """Return a node's change as JSON has it."""
    names = ("field", "before", "after", "words")
    return {
        "id": change.id,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "fields": [{name: getattr(field, name) for name in names} for field in change.fields],
    }
