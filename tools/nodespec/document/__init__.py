r"""YAML text to values with marks: the strict profile, one text and one meaning.

The profile is the part of YAML that every 1.1 and 1.2 parser reads alike:

- UTF-8 without a byte-order mark, ``\n`` line ends, at most 65,536 bytes;
- no control characters (a tab is one) and none that hide or reorder text;
- one document, whose root is a mapping; at most 32 levels;
- no anchors, aliases, merge keys, tags or directives; no duplicate keys; keys are text;
- plain scalars mean what JSON means: ``null``, ``true``, ``false``, ``-12``, ``0.5``, ``1.5e+3``,
  and otherwise text. A plain scalar that some parser would take for something else (``yes``,
  ``007``, ``1:30``, ``2025-10-24``, ``1e3``, ``~``, nothing at all) must be quoted;
- integers within ±(2**53 - 1), the range in which every JSON reader agrees (RFC 8259, section 6);
  floats finite.

Sources: YAML 1.1 (yaml.org/type), YAML 1.2.2 core schema, RFC 8259; the readings of PyYAML, go-yaml,
libyaml, Psych and SnakeYAML where they go beyond either.

How it is read: what is written in the usual way is read line by line (:mod:`nodespec.document.fast`), and its marks
are made when somebody asks where something stands. Whatever the fast reader declines is decided here: one pass of
libyaml's composer gives nodes with marks; a walk of our own turns them into values and sees duplicate keys. Anchors,
tags and directives are refused in an event pass, before anything is composed, and only when the bytes hold a character
that could begin one; depth is bounded the same way. So an alias bomb costs nothing and a plain file pays for one pass
only.

>>> parse(b"name: memoria\ntier: 4\n").value
{'name': 'memoria', 'tier': 4}
>>> [(p.slug, p.span.line, p.span.column) for p in parse(b"a: 1\na: yes\n").problems]
[('duplicate-key', 2, 1), ('ambiguous-scalar', 2, 4)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.document import fast
from nodespec.scalar import spell

if TYPE_CHECKING:
    from yaml.nodes import Node

    from nodespec.finding import KeyPath, Span
    from nodespec.text import Problem


class Document:
    """A parsed text: ``value`` (None when unusable), ``problems``, and the marks behind :meth:`locate`.

    The marks are those of ``root``; without one they are made from ``data`` when they are first asked for.
    """

    __slots__ = ("_data", "_root", "problems", "value")

    def __init__(
        self, value: dict[str, Any] | None, problems: tuple[Problem, ...], root: Node | None, data: bytes = b""
    ) -> None:
        self.value = value
        self.problems = problems
        self._root = root
        self._data = data

    def locate(self, path: KeyPath, *, on_key: bool = False) -> Span:
        """Return where ``path`` stands in the text; the deepest part that exists when it does not.

        With ``on_key`` the span covers the key itself, else its value. A mapping or a list that
        begins on a later line than its key is shown at the key, where a reader looks for it.
        """
        from nodespec.document import reference

        if self._root is None and self._data:
            self._root = reference.compose(self._data)
        return reference.locate(self._root, path, on_key=on_key)


def parse(data: bytes) -> Document:
    """Parse one spec. Never raises for any input; what is wrong is in ``problems``."""
    value = fast.read(data)
    if value is not None:
        return Document(value, (), None, data)
    from nodespec.document import reference

    return Document(*reference.decide(data))


def dump(value: dict[str, Any]) -> str:
    """Return a value as YAML within the profile, keys in their order: what :func:`parse` reads back alike.

    >>> print(dump({"a": "yes", "b": [1, {"c": "x: y"}], "d": []}), end="")
    a: "yes"
    b:
      - 1
      - c: "x: y"
    d: []
    """
    return "".join(line + "\n" for line in _dump_lines(value))


def _dump_lines(value: Any) -> list[str]:
    lines = []
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in pairs:
        lead = "- " if key is None else f"{spell(key)}:"
        if isinstance(item, dict | list) and item:
            inner = _dump_lines(item)
            if key is None:
                lines += [f"- {inner[0]}", *(f"  {line}" for line in inner[1:])]
            else:
                lines += [lead, *(f"  {line}" for line in inner)]
        else:
            lines.append(f"{lead.rstrip()} {spell(item)}")
    return lines
