"""Tampering: other bytes in the place of a signed file's, other values in the place of a signed payload's.

No function here knows a key. What a thief with a key can do, :class:`tests.society.Society` does.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec import envelope
from nodespec.encoding import strict_json
from nodespec.envelope import Envelope, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from nodespec.keys import PrivateKey

# Other bytes for a signed file. Each is a function from bytes to bytes.


def edited(data: bytes, **fields: Any) -> bytes:
    """The same envelope with other parts, written canonically."""
    return replace(envelope.parse(data), **fields).dump()


def with_payload(data: bytes, payload: bytes) -> bytes:
    """The same signatures over another payload."""
    return edited(data, payload=payload)


def stripped(data: bytes, *key_ids: str) -> bytes:
    """Without the signatures of these keys."""
    return edited(data, signatures=tuple(item for item in parsed(data).signatures if item.key_id not in key_ids))


def with_signature(data: bytes, key_id: str, value: bytes) -> bytes:
    """With this signature, new or in place of the one under the same key id."""
    kept = tuple(item for item in parsed(data).signatures if item.key_id != key_id)
    return edited(data, signatures=(*kept, Signature(key_id=key_id, value=value)))


def signature_of(data: bytes, key: PrivateKey) -> bytes:
    """The signature under a key's id."""
    return next(item.value for item in parsed(data).signatures if item.key_id == key.public.key_id)


def renamed(data: bytes, old: str, new: str) -> bytes:
    """With another key id on the same signature."""
    swapped = [replace(item, key_id=new) if item.key_id == old else item for item in parsed(data).signatures]
    return edited(data, signatures=tuple(swapped))


def flipped(data: bytes, position: int, bit: int = 0) -> bytes:
    """With one bit the other way round."""
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


def spelled(data: bytes, how: Callable[[Any], bytes]) -> bytes:
    """The same JSON value, written by another writer."""
    return how(strict_json(data))


def parsed(data: bytes) -> Envelope:
    return envelope.parse(data)


# Other values for a signed payload.


class Spoiled(NamedTuple):
    """A value that is wrong in one place, and what was done there, such as ``owner.record: a text``."""

    what: str
    value: Any


WRONG: dict[type, tuple[Any, ...]] = {
    bool: (None, 0, "", [], {}),
    str: (None, True, 0, 1.5, [], {}),
    int: (None, True, -1, 1.5, 2**53, "1", [], {}),
    list: (None, True, 0, "", {}),
    dict: (None, True, 0, "", []),
    type(None): (True, 0, "", [], {}),
}
"""What stands in the place of a value of another type. A whole number below zero is wrong wherever one is read."""


def spoil(value: Any) -> Iterator[Spoiled]:
    """Yield a JSON value with one thing wrong with it, for every place: a key too many, one too few, a wrong type."""
    for place, found, put in _places(value, (), lambda new: new):
        name = ".".join(map(str, place)) or "all"
        for wrong in WRONG[type(found)]:
            yield Spoiled(f"{name}: {wrong!r}", put(wrong))
        if isinstance(found, dict):
            yield Spoiled(f"{name}: one key more", put({**found, "extra": 1}))
            for key in found:
                yield Spoiled(f"{name}: no {key}", put({other: found[other] for other in found if other != key}))


def accepted(value: Any, read: Callable[[Any], Any], *, but: Container[str] = ()) -> list[str]:
    """Say which spoiled values a reader takes all the same, apart from those that are known to be good."""
    taken = []
    for spoiled in spoil(value):
        try:
            read(spoiled.value)
        except ValueError:
            continue
        taken.append(spoiled.what)
    return [what for what in taken if what not in but]


def _places(
    value: Any, place: tuple[str | int, ...], put: Callable[[Any], Any]
) -> Iterator[tuple[tuple[str | int, ...], Any, Callable[[Any], Any]]]:
    yield place, value, put
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _places(item, (*place, key), partial(_put, value, key, put))


def _put(value: Any, key: Any, put: Callable[[Any], Any], new: Any) -> Any:
    if isinstance(value, dict):
        return put({**value, key: new})
    return put([*value[:key], new, *value[key + 1 :]])


def written(value: Any) -> bytes:
    """JSON as RFC 8785 writes it, as far as it can write such a value at all."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _reversed(data: bytes) -> bytes:
    value = dict(sorted(json.loads(data).items(), reverse=True))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


OTHER_SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "spaces": lambda data: json.dumps(json.loads(data), sort_keys=True).encode(),
    "keys in another order": _reversed,
    "a final newline": lambda data: data + b"\n",
    "a byte-order mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "an escaped letter": lambda data: data.replace(b"a", b"\\u0061", 1),
    "an escaped slash": lambda data: data.replace(b"/", b"\\/", 1),
    "a key twice": lambda data: data[:-1] + b"," + data[1:],
    "infinity": lambda data: re.sub(rb":[0-9]+([,}])", rb":Infinity\1", data, count=1),
    "not a number": lambda data: re.sub(rb":[0-9]+([,}])", rb":NaN\1", data, count=1),
    "a fraction": lambda data: re.sub(rb":([0-9]+)([,}])", rb":\1.0\2", data, count=1),
    "an exponent": lambda data: re.sub(rb":([0-9]+)([,}])", rb":\1e0\2", data, count=1),
    "minus nothing": lambda data: re.sub(rb":[0-9]+([,}])", rb":-0\1", data, count=1),
    "a second value": lambda data: data + data,
    "half of it": lambda data: data[: len(data) // 2],
    "nothing": lambda _: b"",
}
"""The same payload, or next to it, as another writer would spell it."""
