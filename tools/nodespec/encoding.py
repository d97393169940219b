"""Bytes that have one meaning: canonical JSON, strict JSON, strict base64, printable text.

Canonical JSON is RFC 8785 (JCS). Parsing is stricter than the standard library's: duplicate
keys, ``NaN``, ``Infinity`` and anything but UTF-8 are refused, so that no two readers of a signed
payload can disagree about it. Base64 is RFC 4648 section 4 with padding, and must be the one
canonical spelling (``QQ==`` and ``QR==`` decode alike; only the first is accepted).

>>> canonical_json({"b": 1, "a": [True, None]})
b'{"a":[true,null],"b":1}'
>>> strict_json(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
ValueError: duplicate key "a"
>>> b64decode("QR==")
Traceback (most recent call last):
ValueError: not canonical base64
"""

from __future__ import annotations

import binascii
import json
import re
from math import isfinite
from typing import Any, NoReturn

MAX_QUOTED = 60
"""Characters of a value that a message repeats: enough to recognise it, too few to leak a document."""

_MAX_EXACT = 2**53
"""From here on a double-precision number cannot tell neighbours apart (RFC 8785, section 3.2.2.3)."""

HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters that change how a text looks or reads without being seen, as a character class: Unicode's
Default_Ignorable_Code_Point and Bidi_Control, line and paragraph separators, the blank Braille cell (Trojan Source,
CVE-2021-42574). The joiners U+200C and U+200D and the variation selectors U+FE0E and U+FE0F are not among them:
Persian, Hindi and emoji are written with them."""

_UNPRINTABLE = re.compile(f"[\x00-\x1f\x7f-\x9f{HIDDEN}\ud800-\udfff\ufffe\uffff]|#(?=#\\[)")
"""The hidden ones, what no XML may hold, and the first sign of ``##[``: GitHub's runner takes a line in which that
stands anywhere for a command (actions/runner, ActionCommand.TryParse)."""


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 form of ``value`` (mappings with text keys, lists, text, numbers, booleans, None)."""
    if _is_plain(value):
        return plain_json(value)
    import rfc8785

    return rfc8785.dumps(value)


def plain_json(value: Any) -> bytes:
    """Return the RFC 8785 form of a value that holds no fractions, no large numbers and no keys beyond ASCII.

    There the standard library's encoder writes the same bytes, ten times faster; signed payloads are such values. The
    caller answers for it, and a test compares the two.
    """
    return _ENCODER.encode(value).encode("utf-8")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(item) for key, item in value.items())
    if kind is list:
        return all(map(_is_plain, value))
    return kind is str or value is None or kind is bool or (kind is int and abs(value) < _MAX_EXACT)


def strict_json(data: bytes) -> Any:
    """Parse JSON text; raise ``ValueError`` with a reason for anything ambiguous."""
    try:
        text = data.decode("utf-8")
        if not text:
            raise ValueError("it is empty")
        if text.startswith("\ufeff"):
            raise ValueError("it begins with a byte-order mark (BOM)")
        value = _DECODER.decode(text)
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            raise RecursionError
        if "\\u" in text:  # half a character can only come in through an escape
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair stands alone") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _depth(value: Any) -> int:
    """Return how deeply a value is nested, without recursion."""
    depth, level = 0, [value]
    while level:
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate key {quoted(twice)}")
    return mapping


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{quoted(text)} is not a finite number")
    return number


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"{quoted(text)} is a whole number of {len(text)} digits")
    return int(text)


MAX_DEPTH = 64
"""Levels of JSON: no format here needs a third of it, and whatever walks over a value can trust it to end."""

_MAX_DIGITS = 40
"""Digits of a whole number: far beyond what any field here may hold, far below what is slow to read."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
)


def b64encode(data: bytes) -> str:
    """Return RFC 4648 base64 with padding."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64decode(text: str) -> bytes:
    """Return the bytes of canonical base64; raise ``ValueError`` otherwise."""
    try:
        data = binascii.a2b_base64(text)  # lenient, and fast: what it overlooks does not come back when encoded again
    except ValueError:
        raise ValueError("not base64") from None
    if b64encode(data) != text:
        raise ValueError("not canonical base64")
    return data


def printable(text: str) -> str:
    r"""Return ``text`` with every character that could forge or hide output escaped.

    >>> printable("a\x1b[31m\u202eb")
    'a\\x1b[31m\\u202eb'
    """
    return _UNPRINTABLE.sub(lambda match: _escape(match.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def quoted(value: object) -> str:
    """Return a value as a message repeats it: text in double quotes, long ones cut, never a whole mapping.

    >>> quoted("x" * 70)[-4:]
    'xx…"'
    >>> quoted({"secret": 1})
    'a mapping'
    """
    if isinstance(value, str):
        cut = value if len(value) <= MAX_QUOTED else value[: MAX_QUOTED - 1] + "…"
        return '"' + printable(cut).replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > MAX_QUOTED * 3:
        return "a number of many digits"
    return str(value)[:MAX_QUOTED]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""Return JSON for people and programs: readable text, with what could forge or hide output escaped.

    >>> json_text("é\u202e")
    '"é\\u202e"'
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNPRINTABLE.sub(
        lambda match: match.group() if match.group() == "\n" else f"\\u{ord(match.group()):04x}", text
    )
