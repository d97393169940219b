r"""The fast reader: the value of a text that is written in the usual way, or None, which says nothing about the text.

Nearly every spec is lines of ``key: value``, ``- item`` and comments. Their values can be told line by line, without a
parser, and much sooner than libyaml builds its nodes. This reader takes such lines only; whatever else it meets, it
declines, and the reference parser reads the text from its start. It finds no problems and judges nothing: a value that
it returns is the value that the reference parser returns, without any problem.

What it takes, in text that :mod:`nodespec.text` lets pass and whose lines all end in a line feed:

- blank lines, and comments on lines of their own or after a value;
- ``key: value``, ``key:`` before deeper lines, ``- value``, ``- key: value``; a list may stand at its key's column;
- keys of letters, digits and ``_ . / -`` that mean text, each once in its mapping;
- plain values that begin with a letter, a digit or a harmless sign, hold no ``#``, and a colon only between two other
  characters than spaces; quoted values on one line, without escapes;
- lists and mappings of plain words or quoted text on one line, with at most one list in a mapping;
- text after ``|``, ``|-``, ``>`` or ``>-`` without a blank line in it or a space at a line's end and, after ``>``, all
  at one column.

What a line says does not depend on its neighbours, and registries repeat themselves: so lines are remembered.

>>> read(b"tier: 4\nroles: [store, recall]\n"), read(b"tier: yes\n"), read(b"tier: &a 4\n")
({'tier': 4, 'roles': ['store', 'recall']}, None, None)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from nodespec.scalar import plain_meaning
from nodespec.text import MAX_DEPTH, problems_of_bytes

_LONGEST_LINE = 500
"""Characters. Lines are remembered, so a hostile one must not be large; and libyaml lets no key end beyond 1024."""

_MOST_AROUND = MAX_DEPTH - 4
"""What may be around a key's mapping: below the key there can be a list, a mapping on a line of it, a list in that."""

_LONGEST_WORD = 5
"""Characters of the longest words that are not text, or not to every reader: ``false`` and its like."""

# Repeats of a single character are possessive: no line, however hostile, makes the pattern try its parts anew.
_KEY = r"\w[\w./-]*+"
_WORD = r"\w[\w./-]*+(?:\ ++\w[\w./-]*+)*"
_ITEM = rf'(?:{_WORD}|"[^"\\]*+")'
_LIST = rf"\[(?:{_ITEM}(?:,\ *+{_ITEM})*)?\]"
_PAIR = rf"{_KEY}:\ ++(?:{_ITEM}|{_LIST})"
_MAPPING = rf"\{{(?:{_PAIR}(?:,\ *+{_PAIR})*)?\}}"

_LINE = re.compile(
    rf"""(?x)
    (\ *+) (-\ ++)?                                            # indentation, a dash
    (?: ({_KEY}) : (?=\ |\Z) \ *+ )?                           # a key
    (?: ( (?: [\w./(+<~$^] | -(?=[\w.]) ) [^\ :\#]*+ (?: (?:\ ++|:) [^\ :\#]++ )* )  # plain
      | "( [^"\\]*+ )"
      | '( [^']*+ )'
      | ( [|>]-? )                                             # the sign before a block of text
      | ( {_LIST} | {_MAPPING} )
    )?
    (?: \ *+ (?<![^\ ]) \#.*+ )?                               # a comment
    """
)
_ITEMS = re.compile(_ITEM)
_PAIRS = re.compile(rf"({_KEY}):\ ++(?:({_ITEM})|({_LIST}))")

_KEY_ALONE, _PLAIN, _DOUBLE, _SINGLE, _SIGN, _FLOW = range(3, 9)
"""The groups of the pattern that a line can end with."""

_PLACE = 2
"""A mapping's place is twice its column, a list's one more. So what stands inside something has the higher place, even
a list at its key's column; and a line belongs to what has the line's place."""

_Line = tuple[int, int, str, int, Any]
"""What one line says: its place; the place of the mapping that begins behind its dash, or 0; its key, or nothing; the
group that it ends with; its value."""


class _UnsureError(Exception):
    """The reference parser must be asked."""


def read(data: bytes) -> dict[str, Any] | None:
    """Return the value of a spec, or None when the reference parser must be asked. Never raises."""
    if not data.endswith(b"\n") or problems_of_bytes(data):
        return None
    lines = data.decode("utf-8").split("\n")
    lines.reverse()
    try:
        return _read_lines(lines)
    except _UnsureError:
        return None


def _read_lines(lines: list[str]) -> dict[str, Any]:
    """Use up lines, the last of which is the first of the text."""
    root: dict[str, Any] = {}
    top: Any = root  # the innermost mapping or list that is open,
    here = 0  # its place,
    around: list[tuple[int, Any]] = []  # those that it stands in, with their places,
    waiting = ""  # and its last key, while nothing has been seen behind that
    while lines:
        line = _line(lines.pop())
        if line is None:
            continue
        place, inner, key, ending, value = line
        if waiting:
            if place <= here:
                raise _UnsureError
            around.append((here, top))
            opened: Any = [] if place % _PLACE else {}
            top[waiting] = opened
            top, here, waiting = opened, place, ""
        else:
            while place < here:
                here, top = around.pop()
            if place != here:
                raise _UnsureError
        if not key:
            top.append(value if ending < _FLOW else _copy(value))
            continue
        if inner:
            around.append((here, top))
            opened = {}
            top.append(opened)
            top, here = opened, inner
        if key in top or len(around) > _MOST_AROUND:
            raise _UnsureError
        if ending < _SIGN:
            top[key] = value
            if ending == _KEY_ALONE:
                waiting = key
        else:
            top[key] = _copy(value) if ending == _FLOW else _block(lines, here // _PLACE, value)
    if waiting or not root:
        raise _UnsureError
    return root


@lru_cache(maxsize=16384)
def _line(text: str) -> _Line | None:
    """Return what one line says by itself; None for a blank one and for a comment."""
    if not text:
        return None
    match = _LINE.fullmatch(text) if len(text) <= _LONGEST_LINE else None
    if match is None:
        raise _UnsureError
    indent, dash, key = match.group(1, 2, 3)
    ending = match.lastindex or 0
    value: Any = None
    if ending == _PLAIN:
        value = _plain(match[_PLAIN])
    elif ending == _FLOW:
        value = _collection(match[_FLOW])
    elif ending > _KEY_ALONE:
        value = match[ending]
    place = _PLACE * len(indent) + (1 if dash else 0)
    if key:
        return place, place - 1 + _PLACE * len(dash) if dash else 0, _key(key), ending, value
    if not dash and ending < _KEY_ALONE:
        return None
    if not dash or ending < _KEY_ALONE or ending == _SIGN:
        raise _UnsureError
    return place, 0, "", ending, value


def _plain(text: str) -> Any:
    if len(text) > _LONGEST_WORD and text[0].isalpha():
        return text
    meaning = plain_meaning(text)
    if meaning.problem:
        raise _UnsureError
    return meaning.value


@lru_cache(maxsize=1024)
def _key(text: str) -> str:
    if not isinstance(_plain(text), str):
        raise _UnsureError
    return text


# What stands on one line in brackets.


def _collection(flow: str) -> Any:
    if flow[0] == "[":
        return [_item(text) for text in _ITEMS.findall(flow)]
    mapping = {}
    for key, item, inner in _PAIRS.findall(flow):
        if key in mapping:
            raise _UnsureError
        mapping[_key(key)] = _item(item) if item else _collection(inner)
    return mapping


def _item(text: str) -> Any:
    return text[1:-1] if text[0] == '"' else _plain(text)


def _copy(value: Any) -> Any:
    """Return a collection of one line anew: the remembered one must not be shared by the values of two texts."""
    if value.__class__ is list:
        return value[:]
    return {key: item[:] if item.__class__ is list else item for key, item in value.items()}


# What stands below a sign.


def _block(lines: list[str], column: int, sign: str) -> str:
    """Use up the lines of a text below ``|`` or ``>`` whose key stands at ``column``."""
    first = lines[-1] if lines else ""
    indent = len(first) - len(first.lstrip(" "))
    if indent <= column:
        raise _UnsureError
    margin = " " * indent
    taken = []
    while lines and lines[-1].startswith(margin):
        taken.append(lines.pop()[indent:])
    while lines and not lines[-1]:
        lines.pop()
    if lines and (lines[-1].isspace() or lines[-1].startswith(" " * (column + 1))):
        raise _UnsureError  # spaces that may belong to the text, another paragraph, or too little indentation
    folded = sign[0] == ">"
    if any(not line or line.endswith(" ") or (folded and line.startswith(" ")) for line in taken):
        raise _UnsureError
    return (" " if folded else "\n").join(taken) + ("" if sign.endswith("-") else "\n")
