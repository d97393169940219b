"""Spelling the same thing otherwise.

Mallory cannot sign, so she changes how a signed file is written: spaces, the order of keys, a key twice, a letter as
an escape, a number with a fraction, Infinity. If one reader takes it for the same and another does not, they disagree
about what is signed. Every signed file and every payload has one spelling, even where the owner signs another.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from nodespec import owner, statement, trust
from nodespec.chain import record_path
from nodespec.tree import SEAL_PATH, TRUST, attestation_path
from tests.attacks.tampering import OTHER_SPELLINGS, parsed
from tests.society import Society, sealed, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = "lab.memory/cache"

ENVELOPES: dict[str, Callable[[bytes], bytes]] = {
    "indented": lambda data: json.dumps(json.loads(data), indent=1).encode(),
    "no final newline": lambda data: data.removesuffix(b"\n"),
    "two final newlines": lambda data: data + b"\n",
    "a Windows line end": lambda data: data.replace(b"\n", b"\r\n"),
    "a space before": lambda data: b" " + data,
    "a space within": lambda data: data.replace(b'"signatures":[', b'"signatures": ['),
    "a tab within": lambda data: data.replace(b"[{", b"[\t{"),
    "keys in another order": lambda data: (
        json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode() + b"\n"
    ),
    "a signature's keys in another order": lambda data: re.sub(
        rb'\{("keyid":"[^"]*"),("sig":"[^"]*")\}', rb"{\2,\1}", data
    ),
    "an escaped key": lambda data: data.replace(b'"payloadType"', b'"payload\\u0054ype"'),
    "an escaped slash": lambda data: data.replace(b"application/vnd", b"application\\/vnd"),
    "the payload twice": lambda data: data.replace(b'{"payload":', b'{"payload":"","payload":'),
    "the payload twice, the true one first": lambda data: data.replace(
        b',"payloadType"', b',"payload":"","payloadType"'
    ),
    "the signatures twice": lambda data: data.replace(b',"signatures"', b',"signatures":[],"signatures"'),
    "a sig twice": lambda data: data.replace(b'"sig":', b'"sig":"","sig":'),
    "an unknown key": lambda data: data.replace(b'{"payload":', b'{"extra":1,"payload":'),
    "an unknown key in a signature": lambda data: data.replace(b'{"keyid":', b'{"cert":null,"keyid":'),
    "infinity": lambda data: data.replace(b'"signatures":[', b'"signatures":[Infinity,'),
    "not a number": lambda data: data.replace(b'"signatures":[', b'"signatures":[NaN,'),
    "a comment": lambda data: data.replace(b'"signatures"', b'/* signed */"signatures"'),
    "a comma too many": lambda data: data.replace(b"}]}", b"}],}"),
    "single quotes": lambda data: data.replace(b'"', b"'"),
    "a byte-order mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "a second value": lambda data: data + data,
    "a zero byte": lambda data: data.replace(b"\n", b"\0\n"),
    "half of it": lambda data: data[: len(data) // 2],
    "nothing": lambda _: b"",
    "null": lambda _: b"null\n",
}


@pytest.mark.parametrize("how", ENVELOPES.values(), ids=ENVELOPES)
def test_every_kind_of_signed_file_has_one_spelling(how: Callable[[bytes], bytes]) -> None:
    """An attestation, a version of the trust root, an owner's record, a seal."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.bob)
    society.renew()
    society.seal()
    kinds = [
        ("P009", path, attestation_path(path)),
        ("P002", record_path(TRUST, 2), record_path(TRUST, 2)),
        ("P007", society.bob.path(), society.bob.path()),
        ("P030", SEAL_PATH, SEAL_PATH),
    ]
    assert verdict(society.tree()) == []
    for code, where, file in kinds:
        whole = society.files[file]
        society.change(file, how)
        assert verdict(society.tree()) == [(code, where)]
        society.files[file] = whole
    assert verdict(society.tree()) == []


@pytest.mark.parametrize("how", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_a_payload_has_one_spelling_even_when_its_owner_signs_another(how: Callable[[bytes], bytes]) -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.bob)
    society.renew()
    root, record = record_path(TRUST, 2), society.bob.path()
    kinds = [
        ("P009", path, attestation_path(path), statement.PAYLOAD_TYPE, [society.ada.key]),
        ("P007", record, record, owner.PAYLOAD_TYPE, [society.bob.wallets[0][0], society.bob.key]),
        ("P002", root, root, trust.PAYLOAD_TYPE, society.root_signers()),
    ]
    assert verdict(society.tree()) == []
    for code, where, file, kind, signers in kinds:
        whole = society.files[file]
        payload = parsed(whole).payload
        assert how(payload) != payload
        society.files[file] = sealed(kind, payload, *signers)
        assert verdict(society.tree()) == []
        society.files[file] = sealed(kind, how(payload), *signers)
        assert verdict(society.tree()) == [(code, where)]
        society.files[file] = whole


def test_the_order_of_signatures_is_not_free_either() -> None:
    society = Society()
    path = society.register("lab.memory/guard", by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    value = json.loads(society.files[attestation_path(path)])
    value["signatures"].reverse()
    written = json.dumps(value, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    society.files[attestation_path(path)] = written
    assert verdict(society.tree()) == [("P009", path)]


def test_a_text_that_is_half_a_character_is_refused() -> None:
    """A lone surrogate can be escaped in JSON, and no canonical file can hold it."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    payload = parsed(society.files[attestation_path(path)]).payload.replace(b'"1.0.0"', b'"1.0.0\\ud800"')
    society.files[attestation_path(path)] = sealed(statement.PAYLOAD_TYPE, payload, society.ada.key)
    assert verdict(society.tree()) == [("P009", path)]


def test_two_spellings_of_one_letter_are_two_texts() -> None:
    """é as one character and as two look alike, and nobody normalises what is signed."""
    society = Society()
    names = ("Am\u00e9lie", "Ame\u0301lie")
    one, other = (society.join(name) for name in names)
    assert verdict(society.tree()) == []
    society.change(one.path(), lambda _: sealed(owner.PAYLOAD_TYPE, other.records[0].payload(), other.key))
    assert verdict(society.tree()) == [("P006", one.path())]
