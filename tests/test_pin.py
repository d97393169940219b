"""What a client remembers of a registry: it refuses another first trust root, and one that went back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespec import pin
from nodespec.errors import RegistryError
from nodespec.pin import Pin
from tests.conftest import NODESPEC, as_mere_owner
from tests.test_cli_register import Clone, founded, with_a_node

if TYPE_CHECKING:
    from nodespec.trust import Root


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's, with a node."""
    return founded(tmp_path, tmp_path_factory, then=with_a_node)


def fingerprint(clone: Clone) -> str:
    """Return the digest of version 1, as the maintainers publish it."""
    line = next(line for line in clone.says("trust", "show").split("\n") if line.startswith("fingerprint"))
    return line.rpartition(" ")[2]


def remembered(clone: Clone) -> Path:
    return clone.people / "user" / "pins" / "lab.test.json"


def test_who_has_pinned_a_registry_refuses_another_of_its_name(ada: Clone, tmp_path: Path) -> None:
    user, told = ada.by("user"), fingerprint(ada)
    assert "not checked: whether the first trust root is the right one" in user.says("verify")
    said = user.says("trust", "pin", "--expect", told[::-1], code=2)
    assert f"the fingerprint of version 1 is {told}" in said
    assert "do not use this registry" in said
    user.says("trust", "pin", "--expect", told[:16], code=2)
    assert not remembered(ada).exists()
    said = user.says("trust", "pin")
    assert f"pinned lab.test: {told}" in said
    assert "compare this fingerprint" in said
    assert "compare" not in user.says("trust", "pin", "--expect", told)
    for command in ("verify", "trust verify"):
        assert "whether the first trust root" not in user.says(*command.split())

    ada.by("mallory").says("keys", "new")
    ada.by("mallory").at(tmp_path).says("init", "fake", "--id", "lab.test")
    fake = user.at(tmp_path / "fake")
    fake.commit("Looks the same")
    for command in ("verify", "trust verify"):
        said = fake.says(*command.split(), code=3)
        assert f"{told[:16]}… is pinned" in said
        assert "over a way you trust" in said
    before = remembered(ada).read_bytes()
    assert "is pinned" in fake.says("trust", "pin", code=2)
    assert "do not use" in fake.says("trust", "pin", "--expect", told, code=2)
    assert "is pinned" in fake.says("trust", "pin", "--expect", fingerprint(fake), code=2)
    assert "do not use" in fake.says("trust", "pin", "--again", "--expect", told, code=2)
    assert remembered(ada).read_bytes() == before
    fake.says("trust", "pin", "--again", "--expect", fingerprint(fake))
    assert "is pinned" in user.says("verify", code=3)


def test_who_has_seen_a_newer_version_refuses_an_older_one(ada: Clone, tmp_path: Path) -> None:
    user, told = ada.by("user"), fingerprint(ada)
    user.says("trust", "pin", "--expect", told)
    first = ada.clone(tmp_path / "first").by("user")
    ada.says("trust", "rotate", "--expires", "30d")
    ada.commit("Version 2")
    said = user.says("verify")
    assert "1 of 1 verified" in said, "what goes on from the pin is believed"
    assert "nodespec trust pin remembers version 2" in said
    assert "1 of 1 verified" in first.says("verify"), "nobody has seen anything newer yet"
    assert "newest version 2" in user.says("trust", "pin")
    for command in ("verify", "trust verify", "validate", "owner list", "sign lab.probe/sonde_v1"):
        said = first.says(*command.split(), code=3)
        assert "ends with version 1, and version 2 is pinned (rollback)" in said
    assert "rollback" in first.says("trust", "pin", "--expect", told, code=2)
    assert json.loads(remembered(ada).read_bytes())["newest"]["version"] == 2

    # Another version 2, as well signed as the first one.
    first.by("ada").says("trust", "rotate", "--expires", "60d")
    assert first.by("cleo").codes() == []
    assert "version 2 of the trust root is not the one that is pinned" in first.says("verify", code=3)
    assert "1 of 1 verified" in first.by("cleo").says("verify"), "who never saw the other cannot know"

    # The file alone is put back.
    (ada.path / "registry" / "trust" / "0002.dsse.json").unlink()
    assert "rollback" in user.says("verify", code=3)
    ada.git("checkout", "-q", ".")
    assert "1 of 1 verified" in user.says("verify")


DAMAGED = [
    b"",
    b"{}",
    b"\xff",
    b"null",
    b'{"registry_id":"lab.test"',
    b'{"newest":{"digest":"DIGEST","version":1},"registry_id":"lab.other","root":"DIGEST"}',
    b'{"newest":{"digest":"DIGEST","version":0},"registry_id":"lab.test","root":"DIGEST"}',
    b'{"newest":{"digest":"DIGEST","version":1.0},"registry_id":"lab.test","root":"DIGEST"}',
    b'{"newest":{"digest":"digest","version":1},"registry_id":"lab.test","root":"DIGEST"}',
    b'{"newest":{"digest":"DIGEST","version":1},"registry_id":"lab.test","root":null}',
    b'{"newest":{"digest":"DIGEST","version":1},"registry_id":"lab.test","root":"DIGEST","more":1}',
    b'{"newest":{"digest":"DIGEST","version":1},"registry_id":"lab.test","root":"DIGEST","root":"DIGEST"}',
]


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_pin_that_cannot_be_read_is_never_no_pin(tmp_path: Path, number: int) -> None:
    path = Path(pin.path_of(str(tmp_path), "lab.test"))
    path.parent.mkdir()
    path.write_bytes(DAMAGED[number].replace(b"DIGEST", b"a" * 64))
    with pytest.raises(RegistryError, match="is no pin") as caught:
        pin.load(str(tmp_path), "lab.test")
    assert caught.value.exit_code == 3
    assert "--again --expect" in caught.value.hint


def test_a_damaged_pin_stops_whoever_relies_on_it_until_it_is_made_again(ada: Clone) -> None:
    user, told = ada.by("user"), fingerprint(ada)
    user.says("trust", "pin")
    good = remembered(ada).read_bytes()
    remembered(ada).write_bytes(good[:-10])
    for command in ("verify", "trust verify", "trust pin"):
        said = user.says(*command.split(), code=3)
        assert "lab.test.json is no pin" in said
        assert "trust pin --again --expect" in said
    user.says("trust", "pin", "--again", "--expect", told)
    assert remembered(ada).read_bytes() == good
    remembered(ada).unlink()
    remembered(ada).mkdir()
    assert "cannot be read: Is a directory" in user.says("verify", code=3)
    remembered(ada).rmdir()
    shutil.rmtree(ada.people / "user")
    assert "not checked: whether the first" in user.says("verify"), "no pin is no damaged pin"


def test_a_pin_that_may_not_be_read_stops_as_well(ada: Clone) -> None:
    user = ada.by("user")
    user.says("trust", "pin")
    remembered(ada).chmod(0)
    command = [*as_mere_owner(), str(NODESPEC), "verify"]
    done = subprocess.run(command, cwd=ada.path, env=user.environment, capture_output=True, text=True)
    assert done.returncode == 3
    assert "cannot be read: Permission denied" in done.stderr


def test_only_what_verifies_is_pinned(ada: Clone, tmp_path: Path) -> None:
    ada.at(tmp_path).says("init", "bare", "--no-trust")
    bare = ada.at(tmp_path / "bare").by("user")
    assert "no trust root" in bare.says("trust", "pin", code=3)
    ada.says("trust", "rotate", "--root", ada.public("ben"), "--root-threshold", "2")
    assert "1 of 2 needed signatures" in ada.by("user").says("trust", "pin", code=3)
    assert not (ada.people / "user" / "pins").exists()


# Without a process.


class Version(NamedTuple):
    """As much of a version of the trust root as a pin looks at."""

    registry_id: str
    version: int
    text: str

    def payload(self) -> bytes:
        return f"{self.registry_id} {self.version} {self.text}".encode()


def chain(*texts: str) -> list[Root]:
    return [Version("lab.test", number, text) for number, text in enumerate(texts, 1)]  # type: ignore[misc]


def test_every_way_in_which_a_chain_can_differ_from_what_was_seen() -> None:
    """All chains of up to four versions, each of two kinds, beside all pins of such chains."""
    texts = [""]
    for _ in range(4):
        texts += [text + letter for text in texts for letter in "ab" if len(text) < 4]
    chains = sorted({text for text in texts if text})
    assert len(chains) == 2 + 4 + 8 + 16
    for seen in chains:
        kept = Pin.of(chain(*seen))
        for shown in chains:
            wrong = kept.contradicts(chain(*shown))
            first, newest = seen[0], (len(seen), seen[-1])
            goes_on = shown[0] == first and len(shown) >= newest[0] and shown[newest[0] - 1] == newest[1]
            assert (wrong is None) == goes_on, (seen, shown)
            if wrong is not None and shown[0] == first and len(shown) < len(seen):
                assert "rollback" in wrong


def test_a_pin_is_read_as_it_was_written_and_kept_canonically(tmp_path: Path) -> None:
    kept = Pin.of(chain("a", "b", "c"))
    path = Path(pin.save(str(tmp_path), kept))
    assert path == tmp_path / "pins" / "lab.test.json"
    assert pin.load(str(tmp_path), "lab.test") == kept
    text = path.read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) + "\n"
    assert pin.load(str(tmp_path), "lab.other") is None
    pin.save(str(tmp_path), Pin.of(chain("a")))
    assert pin.load(str(tmp_path), "lab.test") == Pin.of(chain("a"))
    assert [item.name for item in path.parent.iterdir()] == ["lab.test.json"]
