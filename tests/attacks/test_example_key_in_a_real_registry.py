"""The example's private keys are in this repository. Somebody copies its trust root into a registry that matters."""

from __future__ import annotations

from dataclasses import replace

from nodespec import keys
from nodespec.quorum import Quorum
from nodespec.tree import SETTINGS_PATH
from tests.conftest import ROOT
from tests.village import SCOUT, key, village


def published() -> keys.PrivateKey:
    folder = ROOT / "tests/keys"
    secret = (folder / "passphrase.txt").read_text().strip()
    return keys.load_private((folder / "keys/main.ml-dsa-44.key.pem").read_bytes(), secret, name="main")


def test_a_trust_root_with_a_published_key_is_a_finding() -> None:
    s = village()
    alone = Quorum(keys=(published().public,), threshold=1)
    s.next_root(roles={**s.roots[0].roles, "maintainer": alone})
    assert s.codes() == ["P004"]
    s.files[SETTINGS_PATH] += b"example: true\n"
    assert s.codes() == []


def test_an_owner_with_a_published_key_is_a_finding_and_so_is_what_it_signed() -> None:
    s = village()
    s.add_record("Bob", [published()], [key("Bob"), published()])
    assert s.codes() == ["P004"]
    s.put(SCOUT, "Bob", version="1.1.0")
    assert s.codes() == ["P004", "P004"]


def test_every_key_of_the_example_is_known_to_be_published() -> None:
    pems = sorted((ROOT / "tests/keys/keys").glob("*.pub.pem"))
    assert len(pems) == len(keys.PUBLISHED_KEY_IDS)
    assert all(keys.load_public(path.read_bytes(), name=path.name).published for path in pems)
    assert not replace(key("Bob").public).published
