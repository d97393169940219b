"""Combining genuine parts.

Every file that Mallory uses is genuine, from one commit or another: a new text with the old attestation, an old text
with the new one, one attestation's words under another's signatures.
"""

from __future__ import annotations

from nodespec.tree import attestation_path
from tests.attacks.tampering import edited, parsed, with_payload
from tests.society import Society, verdict

CACHE, LOOM, STORE = "lab.memory/cache", "lab.dream/loom", "lab.memory/store"


def two_versions() -> tuple[Society, dict[str, bytes], dict[str, bytes]]:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    old = {name: society.files[name] for name in (path, attestation_path(path))}
    society.update(CACHE)
    new = {name: society.files[name] for name in (path, attestation_path(path))}
    return society, old, new


def test_a_text_and_an_attestation_belong_together() -> None:
    society, old, new = two_versions()
    path, file = old
    for text in (old, new):
        for attested in (old, new):
            society.files |= {path: text[path], file: attested[file]}
            expected = [] if text is attested else [("P012", path), ("P013", path)]
            assert sorted(verdict(society.tree())) == expected


def test_words_and_signatures_belong_together() -> None:
    society, old, new = two_versions()
    path, file = old
    payloads = [parsed(files[file]).payload for files in (old, new)]
    society.files |= new
    assert verdict(society.tree()) == []
    society.files[file] = with_payload(new[file], payloads[0])
    assert verdict(society.tree()) == [("P017", path)]
    society.files |= {path: old[path], file: with_payload(old[file], payloads[1])}
    assert verdict(society.tree()) == [("P017", path)]


def test_two_owners_attestations_do_not_change_places() -> None:
    society = Society()
    one, other = society.register(CACHE, by=society.ada), society.register(LOOM, by=society.bob)
    assert verdict(society.tree()) == []
    files = [attestation_path(one), attestation_path(other)]
    society.files |= dict(zip(files, [society.files[name] for name in reversed(files)], strict=True))
    assert verdict(society.tree()) == [("P015", other), ("P015", one)]


def test_two_signatures_from_two_envelopes_do_not_add_up() -> None:
    """Ada signed version 1, Vera version 2. Nobody has both."""
    society = Society()
    path = society.register(STORE, by=society.ada, tier=4, verifier=society.vera.handle)
    one = parsed(society.files[attestation_path(path)])
    society.update(STORE)
    file = attestation_path(path)
    two = parsed(society.files[file])
    assert verdict(society.tree()) == []
    (from_ada,) = (item for item in two.signatures if item.key_id == society.ada.key.public.key_id)
    (from_vera,) = (item for item in one.signatures if item.key_id == society.vera.key.public.key_id)
    society.change(file, edited, signatures=(from_ada, from_vera))
    assert sorted(verdict(society.tree())) == [("P017", path), ("P023", path)]


def test_a_chain_of_one_owner_does_not_carry_another_s_node() -> None:
    """Bob's records in Ada's folder: they are genuine, and they are Bob's."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.bob)
    assert verdict(society.tree()) == []
    society.files[society.ada.path()] = society.files[society.bob.path(0)]
    assert sorted(verdict(society.tree())) == sorted([("P006", path), ("P006", society.ada.path())])
