"""What is refused although libyaml would read it.

Before anything is composed: anchors, tags, directives and depth, in a pass over events; and what libyaml reads
more generously than the specification or another reader, in a pass over tokens. Either pass is made
only when the bytes hold what could need it. After composing: lines of a value that stand where they must not.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import Node, ScalarNode

from nodespec.document.composer import Composer, span_of
from nodespec.encoding import quoted
from nodespec.finding import Span
from nodespec.text import MAX_DEPTH, MAX_PROBLEMS, Problem

_INDICATORS = bytes.maketrans(b"?:-", b"   ")
_DEEP = b"\n" + b" " * 41
_MAX_OPENERS = 64
"""With 41 columns of block indicators and 64 flow openers, no document nests deeper than 2*41 + 64 levels:
safe to compose. Anything beyond is measured by the event pass first."""

_JOINED_COMMENT = re.compile(rb"[\"'\[\]{},|>+\-0-9]#")
_FLOW_HYPHEN = re.compile(rb"[\[{,]\s*-[\s,\]}]|:\s*-\s*[,\]}]")
_OPEN_BLOCK = re.compile(rb"(?:\A|\n)(?:[^#\"'\n]*[:-] +| *)[|>][-+0-9]*\Z")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*#")


def problems_before_composing(data: bytes) -> tuple[Problem, ...]:
    """Return what must not be composed; raises ``yaml.YAMLError`` where the text is no YAML."""
    openers = data.count(b"[") + data.count(b"{")
    if openers > _MAX_OPENERS or needs_event_pass(data):
        problems = _problems_of_events(data)
        if problems:
            return problems
    if not data.endswith(b"\n") and _OPEN_BLOCK.search(data):
        message = "a block of text with nothing in it is read differently by different readers"
        return (Problem(slug="syntax-error", message=message, span=Span(line=data.count(b"\n") + 1)),)
    return _problems_of_tokens(data) if _needs_token_pass(data, openers) else ()


def needs_event_pass(data: bytes) -> bool:
    """Say whether there may be an anchor, a tag, a directive, or a line of 41 block indicators.

    It asks what ``[&!]|^%|^[ ?:-]{41}`` asks, four times as fast.
    """
    if b"&" in data or b"!" in data or data.startswith(b"%") or b"\n%" in data:
        return True
    return _DEEP in b"\n" + data.translate(_INDICATORS)


# From events: what must not be composed.


def _problems_of_events(data: bytes) -> tuple[Problem, ...]:
    parser = Composer(data)
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
                found.append(too_deep(event))
                break
    return tuple(found)


def _problems_of_event(event: yaml.Event) -> list[Problem]:
    found = []
    if isinstance(event, yaml.AliasEvent):
        message = f"{quoted(f'*{event.anchor}')} is an alias; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=span_of(event)))
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        message = f"{quoted(f'&{event.anchor}')} is an anchor; every value must be written where it is used"
        found.append(Problem(slug="anchor-or-alias", message=message, span=span_of(event)))
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
        message = f"{quoted(event.tag)} is a tag; a value's type is its spelling"
        found.append(Problem(slug="tag", message=message, span=span_of(event)))
    if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
        message = "a % directive changes how the file is read"
        found.append(Problem(slug="directive", message=message, span=span_of(event)))
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
    parser = Composer(data)
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
        return Problem(slug="syntax-error", message=message, span=span_of(token))
    if isinstance(token, yaml.DocumentEndToken):
        message = "... ends a document; a spec is one document to the end of its file"
        return Problem(slug="multiple-documents", message=message, span=span_of(token))
    if isinstance(token, yaml.ScalarToken):
        if token.plain and flow and ("?" in token.value or token.value == "-"):
            message = f"{quoted(token.value)} in [] or {{}} is read differently by different readers"
            fix = "Put it in double quotes."
            return Problem(slug="ambiguous-scalar", message=message, span=span_of(token), fix=fix)
        if token.plain or (token.style in ("|", ">") and not _BLOCK_HEADER.match(text, start)):
            return None
    joined = text[end : end + 1] == "#" and end > start and text[end - 1] not in " \n"
    if joined or (isinstance(token, yaml.ScalarToken) and token.style in ("|", ">")):
        message = "a comment needs a space before its #"
        return Problem(slug="syntax-error", message=message, span=Span(line=token.end_mark.line + 1, column=1))
    return None


def too_deep(node: Any) -> Problem:
    """Return the problem of nesting beyond the limit."""
    message = f"more than {MAX_DEPTH} levels of mappings and lists"
    return Problem(slug="too-deep", message=message, span=span_of(node))


def check_layout(node: Node, column: int, lines: list[str], found: list[Problem]) -> None:
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
        if row >= 0 and lines[row].strip()[:1] in "]}":
            message = "this closing bracket must be indented more than the key that it belongs to"
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
