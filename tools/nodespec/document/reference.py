"""The reference parser: libyaml's composer, and a walk of our own over its nodes. What a text means, it means here.

It is loaded when the fast reader declines a text (:mod:`nodespec.document.fast`), or when somebody asks where
something stands in one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nodespec.document.composer import PLAIN, QUOTED, Composer, span_of
from nodespec.document.strict import check_layout, problems_before_composing, too_deep
from nodespec.encoding import quoted
from nodespec.finding import START, Span
from nodespec.scalar import is_likely_text, plain_meaning
from nodespec.text import (
    HIDDEN_CHARACTER,
    MAX_DEPTH,
    MAX_PROBLEMS,
    SURPRISE,
    Problem,
    problems_of_bytes,
    what_is_wrong,
)

if TYPE_CHECKING:
    from nodespec.finding import KeyPath


class Decided(NamedTuple):
    """A value (None when unusable), the problems of its text, and the nodes that hold its marks."""

    value: dict[str, Any] | None
    problems: tuple[Problem, ...]
    root: Node | None


def decide(data: bytes) -> Decided:
    """Parse one spec. Never raises for any input; what is wrong is in ``problems``."""
    problems = problems_of_bytes(data)
    if problems:
        return Decided(None, problems, None)
    try:
        problems = problems_before_composing(data)
        root = None if problems else compose(data)
    except yaml.YAMLError as error:
        problems = (_syntax_problem(error, data.decode("utf-8").split("\n")),)
    return Decided(None, problems, None) if problems else _document(root, data)


def _document(root: Node | None, data: bytes) -> Decided:
    if root is None or (isinstance(root, ScalarNode) and root.tag is PLAIN and not root.value):
        empty = Problem(slug="empty-document", message="the file holds no document; expected a mapping")
        return Decided(None, (empty,), None)
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        message = f"the document is {kind}; expected a mapping of keys to values"
        return Decided(None, (Problem(slug="not-a-mapping", message=message, span=span_of(root)),), root)
    found = _Found()
    value = _mapping(root, found, 1)
    if b"\\" in data and not found:
        _check_escapes(root, found)
    if found.stretched:
        lines = data.decode("utf-8").split("\n")
        for node, column in found.stretched:
            check_layout(node, column, lines, found)
    return Decided(value, tuple(found[:MAX_PROBLEMS]), root)


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


def _mapping(node: MappingNode, found: _Found, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        found.append(too_deep(node))
        return {}
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if key_node.tag is not QUOTED or key_node.__class__ is not ScalarNode:
            _check_key(key_node, found)
            if key_node.__class__ is not ScalarNode:
                continue
        if key in mapping:
            found.append(
                Problem(slug="duplicate-key", message=f"key {quoted(key)} appears twice", span=span_of(key_node))
            )
        kind = value_node.__class__
        if value_node.end_mark.line != value_node.start_mark.line:
            found.note_stretch(value_node, node, key_node.start_mark.column)
        if kind is ScalarNode:
            mapping[key] = value_node.value if value_node.tag is QUOTED else _scalar(value_node, found)
        elif kind is MappingNode:
            mapping[key] = _mapping(value_node, found, depth + 1)
        else:
            mapping[key] = _sequence(value_node, found, depth + 1)
    return mapping


def _sequence(node: SequenceNode, found: _Found, depth: int) -> list[Any]:
    if depth > MAX_DEPTH:
        found.append(too_deep(node))
        return []
    items: list[Any] = []
    for item in node.value:
        kind = item.__class__
        if item.end_mark.line != item.start_mark.line:
            found.note_stretch(item, node, node.start_mark.column)
        if kind is ScalarNode:
            items.append(item.value if item.tag is QUOTED else _scalar(item, found))
        elif kind is MappingNode:
            items.append(_mapping(item, found, depth + 1))
        else:
            items.append(_sequence(item, found, depth + 1))
    return items


def _check_key(node: Node, found: list[Problem]) -> None:
    if not isinstance(node, ScalarNode):
        kind = "list" if isinstance(node, SequenceNode) else "mapping"
        found.append(Problem(slug="key-not-text", message=f"a key is a {kind}; expected text", span=span_of(node)))
        return
    meaning = plain_meaning(node.value)
    if node.value == "<<":
        message = "<< merges another mapping into this one; every key must be written where it counts"
        found.append(Problem(slug="merge-key", message=message, span=span_of(node)))
    elif meaning.problem:
        found.append(_scalar_problem(meaning.problem, meaning.message, node))
    elif not isinstance(meaning.value, str):
        message = f"key {quoted(meaning.value)} is not text to every reader; expected text"
        fix = f"Quote it: {quoted(node.value)}."
        found.append(Problem(slug="key-not-text", message=message, span=span_of(node), fix=fix))


def _scalar(node: ScalarNode, found: list[Problem]) -> Any:
    meaning = plain_meaning(node.value)
    if meaning.problem:
        found.append(_scalar_problem(meaning.problem, meaning.message, node))
    return meaning.value


def _scalar_problem(slug: str, message: str, node: ScalarNode) -> Problem:
    fix = ""
    if slug == "ambiguous-scalar":
        fix = f"Quote it: {quoted(node.value)}." if node.value else 'Write a value, "" or null, or remove the key.'
        if node.value and not is_likely_text(node.value):
            fix = f"Write it as JSON would (0.9, 1000, true, null), or quote it if it is text: {quoted(node.value)}."
    return Problem(slug=slug, message=message, span=span_of(node), fix=fix)


def _check_escapes(node: Node, found: list[Problem]) -> None:
    """Look for control and hidden characters that entered through escapes in double quotes."""
    if isinstance(node, ScalarNode):
        match = re.search(SURPRISE, node.value)
        if match:
            slug = "hidden-character" if re.match(HIDDEN_CHARACTER, match.group()) else "control-character"
            message = f"an escape stands for U+{ord(match.group()):04X}, which {what_is_wrong(slug)}"
            found.append(Problem(slug=slug, message=message, span=span_of(node)))
        return
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            _check_escapes(part, found)


# Where things stand.


def compose(data: bytes) -> Node | None:
    """Return the nodes of a text, with their marks."""
    root: Node | None = Composer(data).get_single_node()
    return root


def locate(root: Node | None, path: KeyPath, *, on_key: bool = False) -> Span:
    """Return where ``path`` stands below ``root``; see :meth:`nodespec.document.Document.locate`."""
    node, key = root, None
    for part in path:
        found = _child(node, part)
        if found is None:
            break
        key, node = found
    if node is None:
        return START
    return span_of(key if key is not None and (on_key or _starts_below(key, node)) else node)


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        # The last of equal keys, as every value reader takes it.
        return next(((key, value) for key, value in reversed(node.value) if key.value == part), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _starts_below(key: Node, node: Node) -> bool:
    return not isinstance(node, ScalarNode) and bool(node.start_mark.line > key.start_mark.line)
