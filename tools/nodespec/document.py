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
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nodespec.encoding import quoted
from nodespec.finding import START, KeyPath, Span
from nodespec.scalar import plain_meaning, spell
from nodespec.text import (
    HIDDEN_CHARACTER,
    MAX_PROBLEMS,
    SURPRISE,
    Problem,
    problems_of_bytes,
    what_is_wrong,
)

MAX_DEPTH = 32
"""Levels of mappings and lists. The schema needs 7."""

_EVENT_PASS = re.compile(rb"[&!]|^%|^[ ?:-]{41}", re.MULTILINE)
_MAX_OPENERS = 64
"""With 41 columns of block indicators and 64 flow openers, no document nests deeper than 2*41 + 64 levels:
safe to compose. Anything beyond is measured by the event pass first."""

_JOINED_COMMENT = re.compile(rb"[\"'\[\]{},|>+\-0-9]#")
_FLOW_HYPHEN = re.compile(rb"[\[{,]\s*-[\s,\]}]|: *-[\s,\]}]")
_OPEN_BLOCK = re.compile(rb"(?:\A|(?<=[ \n]))[|>][-+0-9]*\Z")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*#")

_PLAIN = "plain"
_QUOTED = "quoted"


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


def _span(node: Node | yaml.Event | yaml.Token) -> Span:
    start, end = node.start_mark, node.end_mark
    if start is None or end is None:
        return START
    width = end.column - start.column if end.line == start.line else 1
    return Span(line=start.line + 1, column=start.column + 1, width=max(1, width))


def parse(data: bytes) -> Document:
    """Parse one spec. Never raises for any input; what is wrong is in ``problems``."""
    problems = problems_of_bytes(data)
    if problems:
        return Document(None, problems, None)
    try:
        problems = _problems_before_composing(data)
        root = None if problems else _Composer(data).get_single_node()
    except yaml.YAMLError as error:
        problems = (_syntax_problem(error, data.decode("utf-8").split("\n")),)
    return Document(None, problems, None) if problems else _document(root, data)


def _problems_before_composing(data: bytes) -> tuple[Problem, ...]:
    openers = data.count(b"[") + data.count(b"{")
    if openers > _MAX_OPENERS or _EVENT_PASS.search(data):
        problems = _problems_of_events(data)
        if problems:
            return problems
    if not data.endswith(b"\n") and _OPEN_BLOCK.search(data):
        message = "a block of text with nothing in it is read differently by different readers"
        return (Problem(slug="syntax-error", message=message, span=Span(line=data.count(b"\n") + 1)),)
    return _problems_of_tokens(data) if _needs_token_pass(data, openers) else ()


def _document(root: Node | None, data: bytes) -> Document:
    if root is None or (isinstance(root, ScalarNode) and root.tag is _PLAIN and not root.value):
        empty = Problem(slug="empty-document", message="the file holds no document; expected a mapping")
        return Document(None, (empty,), None)
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        message = f"the document is {kind}; expected a mapping of keys to values"
        return Document(None, (Problem(slug="not-a-mapping", message=message, span=_span(root)),), root)
    found = _Found()
    value = _mapping(root, found, 1)
    if b"\\" in data and not found:
        _check_escapes(root, found)
    if found.stretched:
        lines = data.decode("utf-8").split("\n")
        for node, column in found.stretched:
            _check_layout(node, column, lines, found)
    return Document(value, tuple(found[:MAX_PROBLEMS]), root)


class _Composer(CParser):
    """libyaml's composer without PyYAML's resolver: a scalar's tag says only whether it was quoted."""

    def resolve(self, kind: type[Node], _value: object, implicit: tuple[bool, bool]) -> str:
        return _PLAIN if kind is ScalarNode and implicit[0] else _QUOTED

    def descend_resolver(self, _parent: Node, _index: object) -> None:
        """Do nothing: there are no path resolvers."""

    def ascend_resolver(self) -> None:
        """Do nothing: there are no path resolvers."""


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
        message = f"{quoted(f'*{event.anchor}')} is an alias; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=_span(event)))
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        message = f"{quoted(f'&{event.anchor}')} is an anchor; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=_span(event)))
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        message = f"{quoted(event.tag)} is a tag; a value's type is its spelling"
        found.append(Problem(slug="tag", message=message, span=_span(event)))
    if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
        message = "a % directive changes how the file is read"
        found.append(Problem(slug="directive", message=message, span=_span(event)))
    return found


def _needs_token_pass(data: bytes, openers: int) -> bool:
    """Say whether the bytes may hold what libyaml reads more generously than others: cheap questions first."""
    if b"?" in data or b"\n..." in data or data.startswith(b"..."):
        return True
    if openers and _FLOW_HYPHEN.search(data):
        return True
    apart = data.count(b" #") + data.count(b"\n#") + data.count(b"##") + data.startswith(b"#")
    return data.count(b"#") > apart and _JOINED_COMMENT.search(data) is not None


def _problems_of_tokens(data: bytes) -> tuple[Problem, ...]:
    """Refuse what libyaml accepts and the specification, or another reader, does not."""
    text = data.decode("utf-8")
    parser = _Composer(data)
    found: list[Problem] = []
    flow = 0
    while len(found) < MAX_PROBLEMS and (token := parser.get_token()) is not None:
        flow += isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken)
        flow -= isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken)
        problem = _problem_of_token(token, text, flow)
        if problem is not None:
            found.append(problem)
    return tuple(found)


def _problem_of_token(token: Any, text: str, flow: int) -> Problem | None:
    start, end = token.start_mark.index, token.end_mark.index
    if isinstance(token, yaml.KeyToken) and end > start:
        message = "a key after ? is read differently by different readers; write it before its colon"
        return Problem(slug="syntax-error", message=message, span=_span(token))
    if isinstance(token, yaml.DocumentEndToken):
        message = "... ends a document; a spec is one document to the end of its file"
        return Problem(slug="multiple-documents", message=message, span=_span(token))
    if isinstance(token, yaml.ScalarToken):
        if token.plain and flow and ("?" in token.value or token.value == "-"):
            message = f"{quoted(token.value)} in [] or {{}} is read differently by different readers"
            return Problem(slug="ambiguous-scalar", message=message, span=_span(token), fix="Put it in double quotes.")
        if token.plain or (token.style in ("|", ">") and not _BLOCK_HEADER.match(text, start)):
            return None
    joined = text[end : end + 1] == "#" and end > start and text[end - 1] not in " \n"
    if joined or (isinstance(token, yaml.ScalarToken) and token.style in ("|", ">")):
        message = "a comment needs a space before its #"
        return Problem(slug="syntax-error", message=message, span=Span(line=token.end_mark.line + 1, column=1))
    return None


def _too_deep(node: Any) -> Problem:
    message = f"more than {MAX_DEPTH} levels of mappings and lists"
    return Problem(slug="too-deep", message=message, span=_span(node))


def _syntax_problem(error: yaml.YAMLError, lines: list[str]) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if lines[-1] == "" and len(lines) > 1:
        lines = lines[:-1]
    span = START
    if mark:  # libyaml points past the end when the end came too early
        row = min(mark.line, len(lines) - 1)
        span = Span(line=row + 1, column=(mark.column if row == mark.line else len(lines[row])) + 1)
    text = getattr(error, "problem", None) or "not readable as YAML"
    if "found another document" in text:
        return Problem(slug="multiple-documents", message="a second document starts here; expected one", span=span)
    if "undefined alias" in text:  # an alias with no anchor before it: the event pass looks for anchors only
        return Problem(
            slug="anchor-or-alias", message="an alias; every value must be written where it is used", span=span
        )
    context, opened = getattr(error, "context", None), getattr(error, "context_mark", None)
    since = f", which began on line {opened.line + 1}" if opened and opened.line + 1 < span.line else ""
    return Problem(slug="syntax-error", message=f"{text} ({context}{since})" if context else text, span=span)


# From nodes to values.


class _Found(list[Problem]):
    """The problems found on a walk, and the values that stretch over lines, each with its key's column."""

    def __init__(self) -> None:
        super().__init__()
        self.stretched: list[tuple[Node, int]] = []

    def note_stretch(self, node: Any, parent: Any, column: int) -> None:
        if not parent.flow_style and (node.__class__ is ScalarNode or node.flow_style):
            self.stretched.append((node, column))


def _check_layout(node: Node, column: int, lines: list[str], found: list[Problem]) -> None:
    """Refuse lines of a value that libyaml lets stand where the specification does not."""
    first, last = node.start_mark, node.end_mark
    if first is None or last is None:
        return
    message = "this line belongs to the value above it and must be indented more than that value's key"
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        end = last.line if last.column == 0 else last.line + 1
        row, message = _bad_block_line(first.line, end, lines)
        row = first.line if first.column <= column else row
    else:
        rows = range(first.line + 1, last.line + 1)
        row = next((row for row in rows if lines[row].strip(" ") and _indent(lines[row]) <= column), -1)
        if row < 0 and isinstance(node, ScalarNode) and node.style == '"':
            row = next((row for row in range(first.line, last.line) if lines[row].endswith("\\")), -1)
            message = "a backslash at the end of a line is read differently by different readers"
    if row >= 0:
        found.append(Problem(slug="syntax-error", message=message, span=Span(line=row + 1)))


def _bad_block_line(first: int, end: int, lines: list[str]) -> tuple[int, str]:
    """Return the 0-based line of a block of text (after | or >) that readers disagree about, or -1."""
    rows = range(first + 1, end)
    filled = next((row for row in rows if lines[row].strip(" ")), None)
    if filled is None:
        return first, "a block of text with nothing in it is read differently by different readers"
    spaced = next((row for row in range(first + 1, filled) if lines[row]), -1)
    if spaced >= 0:
        return spaced, "a blank line before a block of text must be empty; readers differ about spaces in it"
    if end >= len(lines) and lines[-1]:
        return len(lines) - 1, "a block of text at the end of the file needs a line end after it"
    return -1, "the sign | or > must stand beside its key, or be indented more"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _mapping(node: MappingNode, found: _Found, depth: int) -> dict[str, Any]:
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
        if value_node.end_mark.line != value_node.start_mark.line:
            found.note_stretch(value_node, node, key_node.start_mark.column)
        if kind is ScalarNode:
            mapping[key] = value_node.value if value_node.tag is _QUOTED else _scalar(value_node, found)
        elif kind is MappingNode:
            mapping[key] = _mapping(value_node, found, depth + 1)
        else:
            mapping[key] = _sequence(value_node, found, depth + 1)
    return mapping


def _sequence(node: SequenceNode, found: _Found, depth: int) -> list[Any]:
    if depth > MAX_DEPTH:
        found.append(_too_deep(node))
        return []
    items: list[Any] = []
    for item in node.value:
        kind = item.__class__
        if item.end_mark.line != item.start_mark.line:
            found.note_stretch(item, node, node.start_mark.column)
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
        message = f"key {quoted(meaning.value)} is not text to every reader; expected text"
        fix = f"Quote it: {quoted(node.value)}."
        found.append(Problem(slug="key-not-text", message=message, span=_span(node), fix=fix))


def _scalar(node: ScalarNode, found: list[Problem]) -> Any:
    meaning = plain_meaning(node.value)
    if meaning.problem:
        found.append(_scalar_problem(meaning.problem, meaning.message, node))
    return meaning.value


def _scalar_problem(slug: str, message: str, node: ScalarNode) -> Problem:
    fix = ""
    if slug == "ambiguous-scalar":
        fix = f"Quote it: {quoted(node.value)}." if node.value else 'Write a value, "" or null, or remove the key.'
    return Problem(slug=slug, message=message, span=_span(node), fix=fix)


def _check_escapes(node: Node, found: list[Problem]) -> None:
    """Look for control and hidden characters that entered through escapes in double quotes."""
    if isinstance(node, ScalarNode):
        match = SURPRISE.search(node.value)
        if match:
            slug = "hidden-character" if HIDDEN_CHARACTER.match(match.group()) else "control-character"
            message = f"an escape stands for U+{ord(match.group()):04X}, which {what_is_wrong(slug)}"
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
