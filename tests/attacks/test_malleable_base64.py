"""Spelling the same bytes otherwise.

Base64 leaves bits unused before its padding, and lenient readers overlook missing padding, line breaks and the
URL-safe alphabet. So the same signature has many texts. If they were all accepted, a file that nobody signed anew
could be changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nodespec.encoding import b64decode, b64encode
from nodespec.tree import attestation_path
from tests.attacks.tampering import written
from tests.society import Society, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = "lab.memory/cache"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def last_bits(text: str) -> str:
    """Set a bit that no byte uses, in the last character before the padding."""
    body = text.rstrip("=")
    assert body != text
    return body[:-1] + ALPHABET[ALPHABET.index(body[-1]) ^ 1] + text[len(body) :]


WAYS: dict[str, Callable[[str], str]] = {
    "unused bits": last_bits,
    "no padding": lambda text: text.rstrip("="),
    "less padding": lambda text: text[:-1],
    "more padding": lambda text: text + "=",
    "padding in the middle": lambda text: text[:4] + "==" + text[4:],
    "a line break at the end": lambda text: text + "\n",
    "lines of 76": lambda text: "\n".join(text[start : start + 76] for start in range(0, len(text), 76)),
    "a space": lambda text: text[:8] + " " + text[8:],
    "a character beside the alphabet": lambda text: text[:8] + "*" + text[8:],
    "a full-width letter": lambda text: chr(ord(text[0]) + 0xFEE0) + text[1:],
}


def padded(society: Society) -> str:
    """Register a node whose payload's length leaves padding; the signature of ML-DSA-44 always does."""
    path = society.register(CACHE, by=society.ada)
    claim = society.attestation(CACHE)
    assert claim is not None
    sequence = next(number for number in (1, 10, 100) if (len(claim.payload) + len(str(number)) + 62) % 3)
    return society.reword(path, action="update", sequence=sequence, previous="ab" * 32)


@pytest.mark.parametrize("part", ["payload", "sig"])
@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_another_spelling_of_the_same_bytes_is_refused(how: Callable[[str], str], part: str) -> None:
    society = Society()
    file = padded(society)
    assert verdict(society.tree()) == []
    value = json.loads(society.files[file])
    if part == "sig":
        (signature,) = value["signatures"]
        value["signatures"] = [{**signature, "sig": how(signature["sig"])}]
    else:
        value["payload"] = how(value["payload"])
    society.files[file] = written(value) + b"\n"
    assert verdict(society.tree()) == [("P009", file.replace(".dsse.json", ".yaml"))]


def test_the_url_safe_alphabet_is_another_alphabet() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    value = json.loads(society.files[attestation_path(path)])
    (signature,) = value["signatures"]
    changed = signature["sig"].replace("+", "-").replace("/", "_")
    assert changed != signature["sig"]
    society.files[attestation_path(path)] = written({**value, "signatures": [{**signature, "sig": changed}]}) + b"\n"
    assert verdict(society.tree()) == [("P009", path)]


def test_of_all_texts_of_four_characters_each_byte_string_has_one() -> None:
    """Every text of two characters and two of padding, and every one of three and one: 256 and 65,536 are read."""
    one = {b64decode(text) for text in (f"{a}{b}==" for a in ALPHABET for b in ALPHABET) if is_read(text)}
    assert one == {bytes([number]) for number in range(256)}
    read = sum(is_read(f"{a}{b}{c}=") for a in ALPHABET[:8] for b in ALPHABET for c in ALPHABET)
    assert read == 8 * 64 * 16, "of four spellings of the last character, one is read"


def is_read(text: str) -> bool:
    try:
        return b64encode(b64decode(text)) == text
    except ValueError:
        return False


@pytest.mark.parametrize(
    "text", ["QR==", "QQ", "QQ=", "QQ===", "Q Q==", "QQ==\n", "-_8=", "QQ==QQ==", "=", "Q", "QQ=Q"]
)
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    assert b64decode("QQ==") == b"A"
    with pytest.raises(ValueError, match="base64"):
        b64decode(text)
