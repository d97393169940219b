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

How it is read: one pass of libyaml's composer gives nodes with marks; a walk of our own turns them
into values and sees duplicate keys. Anchors, tags and directives are refused in an event pass,
before anything is composed, and only when the bytes hold a character that could begin one; depth is
bounded the same way. So an alias bomb costs nothing and a plain file pays for one pass only.

>>> parse(b"name: memoria\ntier: 4\n").value
{'name': 'memoria', 'tier': 4}
>>> [(p.slug, p.span.line, p.span.column) for p in parse(b"a: 1\na: yes\n").problems]
[('duplicate-key', 2, 1), ('ambiguous-scalar', 2, 4)]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nodespec.encoding import HIDDEN, quoted
from nodespec.finding import START, KeyPath, Span
from nodespec.scalar import plain_meaning, spell

MAX_BYTES = 64 * 1024
"""A NodeSpec of 2 KiB is long; 64 KiB is the size of a line in a transparency log tile (C2SP tlog-tiles)."""

MAX_DEPTH = 32
"""Levels of mappings and lists. The schema needs 7."""

MAX_PROBLEMS = 20
"""A file that is wrong in more places than this is not a spec with mistakes; it is another kind of file."""

_EVENT_PASS = re.compile(rb"[&!]|^%|^[ ?:-]{41}", re.MULTILINE)
_MAX_OPENERS = 64
"""With 41 columns of block indicators and 64 flow openers, no document nests deeper than 2*41 + 64 levels:
safe to compose. Anything beyond is measured by the event pass first."""

_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURPRISE = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{HIDDEN}\ufffe\uffff]")
_HIDDEN = re.compile(f"[{HIDDEN}\ufffe\uffff]")
_SUSPECT_BYTES = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")

_PLAIN = "plain"
_QUOTED = "quoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A departure from the profile; ``slug`` names the rule of family F."""

    slug: str
    message: str
    span: Span = START
    fix: str = ""


class Document:
    """A parsed text: ``value`` (None when unusable), ``problems``, and the marks behind :meth:`locate`."""

    __slots__ = ("_root", "problems", "value")

    def __init__(self, value: dict[str, Any] | None, problems: tuple[Problem, ...], root: Node | None) -> None:
        self.value = value
        self.problems = problems
        self._root = root

    def locate(self, path: KeyPath, *, on_key: bool = False) -> Span:
        """Return where ``path`` stands in the text; the deepest part that exists when it does not.

        With ``on_key`` the span covers the key itself, else its value. A mapping or a list that
        begins on a later line than its key is shown at the key, where a reader looks for it.
        """
        node, key = self._root, None
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            key, node = found
        if node is None:
            return START
        return _span(key if key is not None and (on_key or _starts_below(key, node)) else node)


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        # The last of equal keys, as every value reader takes it.
        return next(((key, value) for key, value in reversed(node.value) if key.value == part), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _starts_below(key: Node, node: Node) -> bool:
    return not isinstance(node, ScalarNode) and bool(node.start_mark.line > key.start_mark.line)


def _span(node: Node | yaml.Event) -> Span:
    start, end = node.start_mark, node.end_mark
    if start is None or end is None:
        return START
    width = end.column - start.column if end.line == start.line else 1
    return Span(line=start.line + 1, column=start.column + 1, width=max(1, width))


def parse(data: bytes) -> Document:
    """Parse one spec. Never raises for any input; what is wrong is in ``problems``."""
    problems = _problems_of_bytes(data)
    if problems:
        return Document(None, problems, None)
    try:
        if _EVENT_PASS.search(data) or data.count(b"[") + data.count(b"{") > _MAX_OPENERS:
            problems = _problems_of_events(data)
            if problems:
                return Document(None, problems, None)
        root = _Composer(data).get_single_node()
    except yaml.YAMLError as error:
        return Document(None, (_syntax_problem(error),), None)
    if root is None:
        empty = Problem(slug="empty-document", message="the file holds no document; expected a mapping")
        return Document(None, (empty,), None)
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        message = f"the document is {kind}; expected a mapping of keys to values"
        return Document(None, (Problem(slug="not-a-mapping", message=message, span=_span(root)),), root)
    found: list[Problem] = []
    value = _mapping(root, found, 1)
    if b"\\" in data and not found:
        _check_escapes(root, found)
    return Document(value, tuple(found[:MAX_PROBLEMS]), root)


class _Composer(CParser):
    """libyaml's composer without PyYAML's resolver: a scalar's tag says only whether it was quoted."""

    def resolve(self, kind: type[Node], _value: object, implicit: tuple[bool, bool]) -> str:
        return _PLAIN if kind is ScalarNode and implicit[0] else _QUOTED

    def descend_resolver(self, _parent: Node, _index: object) -> None:
        """Do nothing: there are no path resolvers."""

    def ascend_resolver(self) -> None:
        """Do nothing: there are no path resolvers."""


# From bytes: what can be refused before any parser looks.


def _problems_of_bytes(data: bytes) -> tuple[Problem, ...]:
    if len(data) > MAX_BYTES:
        return (too_large(len(data)),)
    if not _SUSPECT_BYTES.search(data):
        return ()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        return (Problem(slug="not-utf8", message=message, span=_span_at(before, len(before))),)
    found = []
    if text.startswith("\ufeff"):
        found.append(Problem(slug="byte-order-mark", message="the file begins with a byte-order mark (U+FEFF)"))
    returns = text.count("\r")
    if returns:
        lines = f"{returns} carriage return{'s' if returns > 1 else ''} (U+000D), the first one here; expected \\n"
        found.append(
            Problem(slug="carriage-return", message=f"the file has {lines}", span=_span_at(text, text.index("\r")))
        )
    for slug, pattern in (("control-character", _CONTROL), ("hidden-character", _HIDDEN)):
        found += [
            Problem(slug=slug, message=f"U+{ord(match.group()):04X} {_what(slug)}", span=_span_at(text, match.start()))
            for match in pattern.finditer(text)
            if not (match.start() == 0 and match.group() == "\ufeff")
        ][:MAX_PROBLEMS]
    return tuple(found)


def _what(slug: str) -> str:
    if slug == "control-character":
        return "is a control character; expected printable text"
    return "is invisible and can make the text look like something else"


def too_large(size: int) -> Problem:
    """Return the problem of a file of ``size`` bytes, without reading it."""
    return Problem(slug="too-large", message=f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}")


def _span_at(text: str, offset: int) -> Span:
    line_start = text.rfind("\n", 0, offset) + 1
    return Span(line=text.count("\n", 0, offset) + 1, column=offset - line_start + 1)


# From events: what must not be composed.


def _problems_of_events(data: bytes) -> tuple[Problem, ...]:
    parser = _Composer(data)
    found: list[Problem] = []
    depth = 0
    while len(found) < MAX_PROBLEMS:
        event = parser.get_event()
        if event is None or isinstance(event, yaml.StreamEndEvent):
            break
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        found += _problems_of_event(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                found.append(_too_deep(event))
                break
    return tuple(found)


def _problems_of_event(event: yaml.Event) -> list[Problem]:
    found = []
    if isinstance(event, yaml.AliasEvent):
        message = f"*{event.anchor} is an alias; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=_span(event)))
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        message = f"&{event.anchor} is an anchor; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=_span(event)))
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        message = f"{quoted(event.tag)} is a tag; a value's type is its spelling"
        found.append(Problem(slug="tag", message=message, span=_span(event)))
    if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
        message = "a % directive changes how the file is read"
        found.append(Problem(slug="directive", message=message, span=_span(event)))
    return found


def _too_deep(node: Any) -> Problem:
    message = f"more than {MAX_DEPTH} levels of mappings and lists"
    return Problem(slug="too-deep", message=message, span=_span(node))


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    span = Span(line=mark.line + 1, column=mark.column + 1) if mark else START
    text = getattr(error, "problem", None) or "not readable as YAML"
    if "found another document" in text:
        return Problem(slug="multiple-documents", message="a second document starts here; expected one", span=span)
    if "undefined alias" in text:  # an alias with no anchor before it: the event pass looks for anchors only
        return Problem(
            slug="anchor-or-alias", message="an alias; every value must be written where it is used", span=span
        )
    context = getattr(error, "context", None)
    return Problem(slug="syntax-error", message=f"{text} ({context})" if context else text, span=span)


# From nodes to values.


def _mapping(node: MappingNode, found: list[Problem], depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        found.append(_too_deep(node))
        return {}
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if key_node.tag is not _QUOTED or key_node.__class__ is not ScalarNode:
            _check_key(key_node, found)
            if key_node.__class__ is not ScalarNode:
                continue
        if key in mapping:
            found.append(
                Problem(slug="duplicate-key", message=f"key {quoted(key)} appears twice", span=_span(key_node))
            )
        kind = value_node.__class__
        if kind is ScalarNode:
            mapping[key] = value_node.value if value_node.tag is _QUOTED else _scalar(value_node, found)
        elif kind is MappingNode:
            mapping[key] = _mapping(value_node, found, depth + 1)
        else:
            mapping[key] = _sequence(value_node, found, depth + 1)
    return mapping


def _sequence(node: SequenceNode, found: list[Problem], depth: int) -> list[Any]:
    if depth > MAX_DEPTH:
        found.append(_too_deep(node))
        return []
    items: list[Any] = []
    for item in node.value:
        kind = item.__class__
        if kind is ScalarNode:
            items.append(item.value if item.tag is _QUOTED else _scalar(item, found))
        elif kind is MappingNode:
            items.append(_mapping(item, found, depth + 1))
        else:
            items.append(_sequence(item, found, depth + 1))
    return items


def _check_key(node: Node, found: list[Problem]) -> None:
    if not isinstance(node, ScalarNode):
        kind = "list" if isinstance(node, SequenceNode) else "mapping"
        found.append(Problem(slug="key-not-text", message=f"a key is a {kind}; expected text", span=_span(node)))
        return
    meaning = plain_meaning(node.value)
    if node.value == "<<":
        message = "<< merges another mapping into this one; every key must be written where it counts"
        found.append(Problem(slug="merge-key", message=message, span=_span(node)))
    elif meaning.problem:
        found.append(_scalar_problem(meaning.problem, meaning.message, node))
    elif not isinstance(meaning.value, str):
        message = f"key {node.value} is not text to every reader; expected text"
        fix = f'Quote it: "{node.value}".'
        found.append(Problem(slug="key-not-text", message=message, span=_span(node), fix=fix))


def _scalar(node: ScalarNode, found: list[Problem]) -> Any:
    meaning = plain_meaning(node.value)
    if meaning.problem:
        found.append(_scalar_problem(meaning.problem, meaning.message, node))
    return meaning.value


def _scalar_problem(slug: str, message: str, node: ScalarNode) -> Problem:
    fix = ""
    if slug == "ambiguous-scalar":
        fix = f'Quote it: "{node.value}".' if node.value else 'Write a value, "" or null, or remove the key.'
    return Problem(slug=slug, message=message, span=_span(node), fix=fix)


def _check_escapes(node: Node, found: list[Problem]) -> None:
    """Look for control and hidden characters that entered through escapes in double quotes."""
    if isinstance(node, ScalarNode):
        match = _SURPRISE.search(node.value)
        if match:
            slug = "hidden-character" if _HIDDEN.match(match.group()) else "control-character"
            message = f"an escape stands for U+{ord(match.group()):04X}, which {_what(slug)}"
            found.append(Problem(slug=slug, message=message, span=_span(node)))
        return
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            _check_escapes(part, found)


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
