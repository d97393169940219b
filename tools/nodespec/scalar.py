"""What a plain scalar means, and how a value is spelled.

A plain scalar is text without quotes, and YAML readers disagree about many of them. Here it means what JSON
means (``null``, ``true``, ``false``, numbers), else text; a spelling that some reader takes for something
else is ambiguous and must be quoted. The list of ambiguous spellings is the union over the YAML 1.1 types,
the YAML 1.2 core schema, and what PyYAML, go-yaml, Psych and SnakeYAML do beyond either.

>>> plain_meaning("4").value, plain_meaning("1.2.0").value, plain_meaning("yes").problem
(4, '1.2.0', 'ambiguous-scalar')
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

from nodespec.encoding import quoted

MAX_SAFE_INTEGER = 2**53 - 1
"""RFC 8259 section 6: beyond this, readers disagree."""

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?\Z")
_WORDS = {"null": None, "true": True, "false": False}
_AMBIGUOUS_WORDS = frozenset(["", "~", "=", "<<", "y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_AMBIGUOUS = re.compile(
    r"""(?ix)
      [-+]? (?: [0-9_][0-9_,]* (?: \.[0-9_,]* )? | \.[0-9_][0-9_,]* ) (?: e[-+]?[0-9_]* )?  # 1e3, 1_000, .5, 007, +_
    | [-+]? 0 [xob] [0-9a-f_]+                             # 0x1f, 0o17, 0b1
    | [-+]? [0-9] [0-9_]* (?: : [0-9] [0-9]? )+ (?: \. [0-9_]* )?   # 22:22, base sixty in YAML 1.1
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t \t] .* )?  # dates and times
    | [-+]? \. (?: inf | nan )
    | : .+                                                 # a symbol, to Ruby
    """
)


class Meaning(NamedTuple):
    """What a plain scalar means: a value, or the slug of the rule it breaks and why."""

    value: Any
    problem: str = ""
    message: str = ""


@lru_cache(maxsize=16384)
def plain_meaning(text: str) -> Meaning:
    """Return what a plain scalar means (pure, hence remembered: the same words fill every spec)."""
    if text in _WORDS:
        return Meaning(_WORDS[text])
    if not text or text[0] in "0123456789-+.:":
        return _numeric_meaning(text)
    if len(text) <= 5 and text.lower() in _AMBIGUOUS_WORDS:
        return _ambiguous(text)
    return Meaning(text)


def _numeric_meaning(text: str) -> Meaning:
    if _INTEGER.match(text):
        if len(text) > 17 or abs(int(text)) > MAX_SAFE_INTEGER:
            return Meaning(0, "number-out-of-range", f"{quoted(text)} is beyond ±(2^53 - 1)")
        return Meaning(int(text))
    if _FLOAT.match(text):
        number = float(text)
        if not isfinite(number):
            return Meaning(0.0, "number-out-of-range", f"{quoted(text)} is not a finite number")
        return Meaning(number)
    if text.lower() in _AMBIGUOUS_WORDS or _AMBIGUOUS.fullmatch(text):
        return _ambiguous(text)
    return Meaning(text)


def _ambiguous(text: str) -> Meaning:
    if not text:
        return Meaning(None, "ambiguous-scalar", "nothing is written here; some readers see null, others empty text")
    return Meaning(
        text, "ambiguous-scalar", f"{quoted(text)} is a number, a date, a boolean or text, depending on the reader"
    )


_LIKELY_TEXT = re.compile(
    r"""(?ix)
      y | n | yes | no | on | off
    | 0[0-9]+
    | [0-9]+ (?: : [0-9]{1,2} )+ (?: \. [0-9]* )?
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t \t] .* )?
    | : .+
    """
)


def is_likely_text(text: str) -> bool:
    """Say whether an ambiguous scalar was probably meant as text; numbers, booleans and null in odd spellings were not.

    >>> [word for word in ("yes", "007", "1:30", "2025-10-24", ".9", "1_000", "True", "~") if is_likely_text(word)]
    ['yes', '007', '1:30', '2025-10-24']
    """
    return _LIKELY_TEXT.fullmatch(text) is not None


_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*[A-Za-z0-9_]\Z|[A-Za-z]\Z|[0-9]+\.[0-9]+\.[0-9]+\Z")


def spell(value: Any) -> str:
    """Return how a scalar, or an empty collection, is written: plain where every reader agrees, else quoted.

    >>> spell("memoria"), spell("no"), spell(4), spell("1.2.0")
    ('memoria', '"no"', '4', '1.2.0')
    """
    if isinstance(value, str):
        plain = _BARE.match(value) and plain_meaning(value).value == value and not plain_meaning(value).problem
        return value if plain else json.dumps(value, ensure_ascii=False)
    return "[]" if value == [] else "{}" if value == {} else json.dumps(value)
