"""`nodespec init`, `trust` and `owner` through real processes: who is believed, and how that changes."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NODESPEC, Checkout
from tests.test_cli_register import MODELINE, PASSPHRASE, PROBE, PROBE_FILE, PROBE_SIGNED, Clone, founded

if TYPE_CHECKING:
    from pathlib import Path

ROOT_FILE = "registry/trust/0001.dsse.json"
SECOND = "registry/trust/0002.dsse.json"


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's."""
    return founded(tmp_path, tmp_path_factory)


def payload(clone: Checkout, path: str) -> dict[str, object]:
    """Return what a signed file says."""
    return dict(json.loads(b64decode(json.loads(clone.read(path))["payload"])))


def signers(clone: Checkout, path: str) -> set[str]:
    """Return the ids of the keys that signed a file."""
    return {item["keyid"] for item in json.loads(clone.read(path))["signatures"]}


# init


def test_one_command_makes_keys_a_trust_root_and_a_registry_that_passes_its_own_gate(empty: Checkout) -> None:
    home = empty.path.parent / "home"
    made = empty.run("init", "acme")
    assert made.returncode == 0, made.stderr
    assert "made key main" in made.stderr
    assert "made registry acme in acme" in made.stdout
    assert sorted(path.name for path in (home / "keys").iterdir()) == [
        "main.ed25519.key.pem",
        "main.ed25519.pub.pem",
        "main.ml-dsa-44.key.pem",
        "main.ml-dsa-44.pub.pem",
    ]
    assert {path.stat().st_mode & 0o777 for path in (home / "keys").glob("*.key.pem")} == {0o600}
    acme = Checkout(empty.path / "acme", empty.environment)
    assert acme.run("validate").returncode == 0
    assert "1 of 1 root keys" in acme.run("trust", "verify").stdout
    assert acme.run("verify").returncode == 4, "nothing is registered yet"

    keys = {path: path.read_bytes() for path in (home / "keys").iterdir()}
    again = empty.run("init", "other")
    assert again.returncode == 0
    assert "made key" not in again.stderr
    assert {path: path.read_bytes() for path in (home / "keys").iterdir()} == keys
    other = Checkout(empty.path / "other", empty.environment)
    assert payload(other, ROOT_FILE)["keys"] == payload(acme, ROOT_FILE)["keys"]
    assert other.run("validate").returncode == 0
    before = acme.files()
    assert "never overwritten" in empty.run("init", "acme").stderr
    assert acme.files() == before


def test_a_registry_without_a_trust_root_does_not_pass_its_gate_until_it_has_one(ada: Clone, tmp_path: Path) -> None:
    said = ada.at(tmp_path).says("init", "acme", "--no-trust")
    assert "nodespec trust init" in said
    acme = ada.at(tmp_path / "acme")
    assert acme.codes() == ["P001"]
    assert "no trust root" in acme.says("trust", "verify", code=1)
    assert "no trust root" in acme.says("verify", code=3)
    assert "no trust root" in acme.says("trust", "show", code=3)
    assert "no trust root to sign" in acme.says("trust", "sign", code=2)
    assert "no trust root" in acme.says("trust", "rotate", code=3)
    said = acme.says("trust", "init")
    assert "wrote version 1 of the trust root" in said
    assert "still to sign" not in said
    assert acme.codes() == []
    before = acme.files()
    said = acme.says("trust", "init", code=2)
    assert "a trust root is made once" in said
    assert "nodespec trust rotate" in said
    assert acme.files() == before


@pytest.mark.parametrize(
    ("secret", "said"),
    [(None, "no terminal to ask on"), ("short", "fewer than 12 characters"), ("", "fewer than 12 characters")],
    ids=["none", "too short", "empty"],
)
def test_without_a_passphrase_nothing_is_written(empty: Checkout, secret: str | None, said: str) -> None:
    path = empty.path.parent / "passphrase"
    path.write_text(secret or "")
    done = empty.run("init", "acme", NODESPEC_PASSPHRASE_FILE="" if secret is None else str(path))
    assert done.returncode == 2
    assert said in done.stderr
    assert list(empty.path.iterdir()) == []
    assert not (empty.path.parent / "home").exists()


def test_a_wrong_passphrase_or_half_a_key_makes_no_registry(ada: Clone, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong horse battery staple\n")
    at = ada.at(tmp_path)
    said = at.says("init", "acme", code=2, NODESPEC_PASSPHRASE_FILE=str(wrong))
    assert "wrong passphrase" in said
    assert "wrong horse" not in said
    (ada.people / "ada" / "keys" / "main.ml-dsa-44.key.pem").unlink()
    assert "none of your keys is a root key" in at.says("init", "acme", code=2)
    assert not (tmp_path / "acme").exists()


def test_on_a_terminal_the_passphrase_is_asked_for_twice_and_never_shown(empty: Checkout) -> None:
    environment = {**os.environ, **empty.environment, "TERM": "xterm"}
    del environment["NODESPEC_PASSPHRASE_FILE"]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [NODESPEC, "init", "acme"],
        cwd=empty.path,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown, answers = b"", [PASSPHRASE, PASSPHRASE]
    while select.select([leader], [], [], 30)[0]:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other side closed: the end of the output on Linux
            break
        shown += part
        if answers and shown.endswith(b": "):  # the space comes when nothing that is typed is shown any more
            os.write(leader, answers.pop().encode() + b"\n")
    assert process.wait(timeout=30) == 0, shown
    assert b"Passphrase: " in shown
    assert b"Repeat for confirmation: " in shown
    assert PASSPHRASE.encode() not in shown
    assert Checkout(empty.path / "acme", empty.environment).run("validate").returncode == 0


# The ceremony: three people, two of whom must agree.


def test_two_of_three_people_found_a_registry(ada: Clone, tmp_path: Path) -> None:
    ada.at(tmp_path).says("init", "acme", "--no-trust", "--id", "acme.memory")
    acme = ada.at(tmp_path / "acme")
    keys = [word for name in ("ada", "ben", "cleo") for word in ("--root", ada.public(name))]
    refused = [
        (("--root-threshold", "4"), "a threshold of 4 with 3 keys"),
        (("--root-threshold", "0"), "a threshold of 0 with 3 keys"),
        (("--checkpoint-threshold", "9"), "role checkpoint: a threshold of 9"),
        (("--expires", "soon"), '"soon" is not a number of days'),
        (("--root", "nobody"), 'no key is called "nobody"'),
        (("--maintainer", str(ada.people / "passphrase")), "is not a public key"),
        (("--root", ada.public("ben").replace(".pub.", ".key.")), "is not a public key"),
    ]
    before = acme.files()
    for words, said in refused:
        assert said in acme.says("trust", "init", *keys, *words, code=2)
        assert acme.files() == before
    assert "none of your keys is a root key" in acme.by("ben").says("trust", "init", *keys[:2], code=2)

    options = ("--root-threshold", "2", "--maintainer", ada.public("cleo"), "--checkpoint", "main", "--expires", "90d")
    said = acme.says("trust", "init", *keys, *options)
    assert "still to sign: the root keys of version 1 (1 of 2 needed signatures)" in said
    assert "1 of 2 needed signatures" in acme.says("trust", "verify", code=1)
    assert acme.says("trust", "show", code=3)
    assert acme.codes() == ["P002"]
    acme.commit("Begin")

    # Ben signs in a clone of his own, and the file comes back by mail.
    bens = acme.clone(tmp_path / "bens").by("ben")
    said = bens.says("trust", "sign")
    assert "signing version 1 of the trust root of acme.memory" in said
    assert f"signed by ml-dsa-44 {ada.key_id('ben')[:16]}" in said
    assert "still to sign" not in said
    assert "signed" in bens.says("trust", "sign")
    assert signers(bens, ROOT_FILE) == {ada.key_id("ada"), ada.key_id("ben")}
    shutil.copy(bens.path / ROOT_FILE, acme.path / ROOT_FILE)
    assert "2 of 3 root keys" in acme.says("trust", "verify")
    assert acme.codes() == []
    assert "already" in acme.says("trust", "sign")
    said = acme.by("cleo").says("sign", ROOT_FILE)
    assert "signed by" in said, "a third signature is welcome"
    assert len(signers(acme, ROOT_FILE)) == 3
    stranger = acme.by("dana")
    stranger.says("keys", "new")
    before = acme.files()
    said = stranger.says("trust", "sign", code=2)
    assert "none of your keys counts" in said
    assert ada.key_id("ben")[:16] in said
    assert acme.files() == before

    shown = acme.says("trust", "show")
    for line in (
        "acme.memory, version 1",
        "root: 2 of 3",
        "maintainer: 1 of 1",
        "checkpoint: 1 of 2",
        "verifiers: none",
    ):
        assert line in shown
    root = json.loads(acme.run("trust", "show", "--format", "json").stdout)
    assert root == payload(acme, ROOT_FILE)
    assert root["roles"]["root"] == {"keys": sorted(map(ada.key_id, ("ada", "ben", "cleo"))), "threshold": 2}
    assert root["roles"]["maintainer"]["keys"] == [ada.key_id("cleo")]
    assert root["checkpoint_schemes"] == ["ml-dsa-44", "ed25519"]


def test_a_version_that_is_not_committed_is_changed_in_place_and_its_signatures_start_over(ada: Clone) -> None:
    ben = ada.by("ben")
    said = ada.says("trust", "rotate", "--root", ada.public("ben"), "--root-threshold", "2", "--expires", "30d")
    assert "still to sign: the root keys of version 2 (1 of 2" in said
    ben.says("trust", "sign")
    assert "2 of 2 root keys" in ada.says("trust", "verify")
    said = ada.says("trust", "grant", "Ada Lovelace", "--type", "lab", "--lane", "candidate", "--max-tier", "3")
    assert "version 2, which you began, is changed and signed anew" in said
    assert signers(ada, SECOND) == {ada.key_id("ada")}
    root = payload(ada, SECOND)
    assert root["roles"]["root"]["threshold"] == 2  # type: ignore[index]
    assert not (ada.path / "registry/trust/0003.dsse.json").exists()
    ben.says("sign", SECOND)
    assert ada.codes("--base", "HEAD") == []
    ada.commit("Version 2")
    ada.says("trust", "revoke", "Ada Lovelace")
    assert payload(ada, "registry/trust/0003.dsse.json")["previous"] is not None
    assert payload(ada, "registry/trust/0003.dsse.json")["delegations"] == []
    ben.says("trust", "sign")
    assert ada.codes("--base", "HEAD") == []
    change = ada.path / ROOT_FILE
    change.write_bytes((ada.path / SECOND).read_bytes())
    assert ada.says("trust", "verify", code=1)
    assert "C004" in ada.codes("--base", "HEAD")


def test_delegations_come_and_go_and_nodes_follow(ada: Clone) -> None:
    lab = ("--type", "lab.probe", "--lane", "candidate", "--lane", "lukhas", "--max-tier", "3")
    tier = ("tier: 0", "tier: 3")
    assert "error[P026]" in ada.refuses("register", str(ada.draft(tier)), code=1)
    wrong = [
        (("Nobody", *lab), "no owner is called"),
        (("Ada Lovelace", "--type", "lab", "--lane", "candidate", "--max-tier", "8"), "8 is not in the range"),
        (("Ada Lovelace", "--type", "lab", "--lane", "best", "--max-tier", "1"), "'best' is not one of"),
        (("Ada Lovelace", "--lane", "core", "--max-tier", "1"), "Missing option '--type'"),
    ]
    for words, said in wrong:
        assert said in ada.refuses("trust", "grant", *words)
    assert "none of your keys is a root key" in ada.by("ben").refuses("trust", "grant", "Ada Lovelace", *lab)
    ada.says("trust", "grant", "Ada Lovelace", *lab)
    shown = ada.says("trust", "show")
    assert f"Ada Lovelace {ada.handle('Ada Lovelace')[:16]}" in shown
    assert "lab.probe in candidate, lukhas up to tier 3" in shown
    assert "lab.probe in candidate, lukhas up to tier 3" in ada.says("owner", "show", "ada lovelace")
    ada.says("register", str(ada.draft(tier)))
    assert ada.codes("--base", "HEAD") == []
    ada.commit("Grant, and use it")

    said = ada.refuses("trust", "revoke", "Ada Lovelace", "--type", "lab")
    assert "no such delegation to" in said
    ada.says("trust", "revoke", "Ada Lovelace", "--type", "lab.probe")
    assert ada.codes("--base", "HEAD") == ["P026"]
    assert "newcomers may claim tier 1 at most" in ada.says("verify", code=1)


def test_the_root_rotates_and_the_old_key_is_nobody_afterwards(ada: Clone) -> None:
    ben = ada.by("ben")
    ben.says("owner", "create", "Ben")
    ada.commit("Welcome Ben")
    for words, said in [
        (("--drop", "f00dfeed"), '"f00dfeed" names no key of the trust root'),
        (("--drop", ada.key_id("ada")[:7]), "names no key of the trust root"),
        (("--drop", ada.key_id("ada")), "a threshold of 1 with 0 keys"),
        (("--root-threshold", "2"), "a threshold of 2 with 1 keys"),
        (("--verifier", "Cleo"), 'no owner is called "Cleo"'),
        (("--expires", "0d"), "is not a number of days"),
    ]:
        assert said in ada.refuses("trust", "rotate", *words)
    roles = [word for role in ("root", "maintainer", "checkpoint") for word in (f"--{role}", ada.public("ben"))]
    said = ada.says("trust", "rotate", *roles, "--verifier", "Ben", "--drop", "main")
    assert "still to sign: the root keys of version 2 (0 of 1 needed signature)" in said
    assert "0 of 1 needed signature by its own root keys" in ada.says("trust", "verify", code=1)
    assert "complete" in ben.says("trust", "sign")
    assert ada.codes("--base", "HEAD") == []
    assert "verifiers: Ben" in ada.says("trust", "show")
    ada.commit("Hand over")
    assert "none of your keys is a root key" in ada.refuses("trust", "rotate")
    said = ben.says("trust", "rotate", "--no-verifier", "Ben", "--expires", "30d")
    assert "still to sign" not in said
    assert payload(ada, "registry/trust/0003.dsse.json")["verifiers"] == []
    assert ada.codes("--base", "HEAD") == []
    assert ada.says("trust", "verify").count("ok version") == 3


def test_the_schemes_change_with_a_version_of_the_root(ada: Clone) -> None:
    public = ada.public("ada").replace("ml-dsa-44", "ed25519")
    for words, said in [
        (("--checkpoint-scheme", "ml-dsa-87"), "no checkpoint key is of scheme ml-dsa-87"),
        (("--checkpoint-scheme", "dilithium"), "is not one of"),
    ]:
        assert said in ada.refuses("trust", "rotate", *words)
    ada.says("trust", "rotate", "--checkpoint-scheme", "ml-dsa-44", "--attestation-scheme", "ml-dsa-44")
    said = ada.says("trust", "show")
    assert "checkpoint schemes: ml-dsa-44\n" in said
    assert "attestation schemes: ml-dsa-44\n" in said
    assert ada.codes("--base", "HEAD") == []
    ada.commit("One scheme")
    ada.says("trust", "rotate", "--expires", "90d")
    assert "attestation schemes: ml-dsa-44\n" in ada.says("trust", "show"), "and stays so"
    ada.commit("Longer")
    ada.says("trust", "rotate", "--checkpoint", "main", "--drop", public)
    keys = [key["scheme"] for key in payload(ada, "registry/trust/0004.dsse.json")["keys"]]
    assert keys == ["ml-dsa-44"], "what is dropped does not come back under the same name"


def test_after_its_expiry_nothing_is_believed_until_the_root_is_renewed(ada: Clone) -> None:
    ada.says("register", str(ada.draft()), "--commit")
    expire(ada)
    ada.commit("Years go by")
    assert "expired at 2021-01-01 00:00 UTC" in ada.says("trust", "verify", code=1)
    said = ada.says("verify", code=3)
    assert "expired at 2021-01-01" in said
    assert "nodespec trust rotate" in said
    assert ada.codes() == ["P003"]
    said = ada.says("trust", "rotate", "--expires", "90d")
    assert "complete" in said
    assert ada.says("trust", "verify").count("ok version") == 2, "a registry that slept can wake"
    assert "1 of 1 verified" in ada.says("verify")
    assert ada.codes("--base", "HEAD") == []


EXPIRE = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from nodespec import chain, envelope, keyring, trust
path, home, secret = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
link = chain.Link(path=str(path), number=1, envelope=envelope.parse(path.read_bytes()))
then, later = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
root = replace(trust.read_alone(link), issued_at=then, expires=later)
files = [file for file in keyring.listing(home, "main") if file.public in root.roles["root"].keys]
keys = [(key.public.key_id, key) for key in keyring.unlock(files, lambda: secret)]
path.write_bytes(envelope.seal(trust.PAYLOAD_TYPE, root.payload(), keys).dump())
"""


def expire(clone: Clone) -> None:
    """Write version 1 of the trust root as if Ada had made it in 2020, for a year."""
    command = [sys.executable, "-c", EXPIRE, ROOT_FILE, str(clone.people / "ada"), PASSPHRASE]
    subprocess.run(command, cwd=clone.path, check=True)


# Owners.


def test_an_owner_is_a_name_and_keys_and_is_made_once(ada: Clone) -> None:
    ben = ada.by("ben")
    said = ben.says("owner", "create", "Ben", "--key", "main")
    handle = ben.handle("Ben")
    assert handle in said
    assert handle in ben.refuses("owner", "create", "Ben")
    ben.says("keys", "new", "lab", "--scheme", "ml-dsa-65")
    ben.says("owner", "create", "Lab", "--key", "lab")
    refused = [
        (("Ben", "--key", "none"), 'no key is called "none"'),
        (("Trio", "--with", ada.public("ada"), "--threshold", "3"), "a threshold of 3 with 2 keys"),
        (("Nil", "--threshold", "0"), "a threshold of 0 with 1 keys"),
        (("Half", "--with", "passphrase"), 'no key is called "passphrase"'),
        ((" Ben",), "printable characters"),
        (("",), "printable characters"),
        (("B\x1b[31mn",), "printable characters"),
        (("B" * 201,), "printable characters"),
    ]
    for words, said in refused:
        assert said in ben.refuses("owner", "create", *words)
    listed = ada.says("owner", "list")
    for line in ("Ada Lovelace", "Ben", "Lab", handle):
        assert line in listed
    assert "ml-dsa-65" in ada.says("owner", "show", "lab")
    shown = ada.says("owner", "show", handle[: len("GLYMPH:") + 8])
    assert "record 0, genesis: 1 of 1 must sign" in shown
    assert ada.key_id("ben") in shown
    assert "delegated: nothing" in shown
    record = json.loads(ada.run("owner", "show", "ben", "--format", "json").stdout)
    assert record["handle"] == handle
    assert record["records"] == [payload(ada, f"registry/owners/{handle.removeprefix('GLYMPH:')}/0000.dsse.json")]
    assert record["records"][0]["keys"][0]["keyid"] == ada.key_id("ben")
    assert "no owner is called" in ada.says("owner", "show", "Be", code=2)
    assert f'an owner is called "Ben" already: {handle}' in ada.refuses("owner", "create", "B.E.N.")
    assert "already" in ada.refuses("owner", "rotate", "Ada Lovelace", "--name", "ben")
    assert ada.codes("--base", "HEAD") == []
    assert ada.run("owner", "list", "--repo", str(ada.people)).returncode == 2


def test_keys_are_rotated_and_what_they_signed_stays_good(ada: Clone) -> None:
    ada.says("register", str(ada.draft()), "--commit")
    ada.says("keys", "new", "next", "--scheme", "ml-dsa-44")
    refused = [
        (("--drop", "main"), "a threshold of 1 with 0 keys"),
        (("--drop", "none", "--add", "next"), '"none" names no key'),
        (("--drop", ada.key_id("ada")[:7], "--add", "next"), "names no key"),
        (("--threshold", "2"), "a threshold of 2 with 1 keys"),
        (("--name", " "), "printable characters"),
    ]
    for words, said in refused:
        assert said in ada.refuses("owner", "rotate", "Ada Lovelace", *words)
    assert "none of your keys counts" in ada.by("ben").refuses("owner", "rotate", "Ada Lovelace", "--name", "Ben")

    early = str(ada.draft(("sonde_v1", "rain_gauge"), ("depth_read", "rain_fell")))
    ada.says("register", early, "--branch", "late")
    said = ada.says("owner", "rotate", "Ada Lovelace", "--add", "next", "--drop", "main", "--name", "Ada King")
    assert "wrote record 1 of Ada King" in said
    record = f"registry/owners/{ada.handle('Ada Lovelace').removeprefix('GLYMPH:')}/0001.dsse.json"
    assert signers(ada, record) == {ada.key_id("ada"), ada.key_id("ada", "next")}, "the old key and the new one"
    shown = ada.says("owner", "show", "Ada King")
    assert f"revoked    {ada.key_id('ada')} (superseded)" in shown
    assert "1 of 1 verified" in ada.says("verify")
    assert ada.codes("--base", "HEAD") == []
    ada.commit("Rotate")
    assert "no owner is called" in ada.says("owner", "show", "Ada Lovelace", code=2)

    # A signature under the old record comes too late, although it is good by itself.
    ada.git("checkout", "-q", "late", "--", "registry/nodes")
    assert "2 of 2 verified" in ada.says("verify")
    assert ada.codes("--base", "HEAD") == ["C001"]
    ada.git("reset", "-q", "--hard")
    assert "you hold no key of Ada King" in ada.refuses("register", early, "--key", "main")
    ada.says("register", early, "--commit")
    assert "no findings" in ada.says("validate", "--at", "HEAD", "--base", "HEAD~1")


def test_new_keys_sign_that_they_are_there(ada: Clone) -> None:
    ben = ada.by("ben")
    said = ada.says("owner", "rotate", "Ada Lovelace", "--add", ada.public("ben"), "--threshold", "2")
    assert "still to sign: the keys of record 1 (1 of 2 needed signatures)" in said
    assert ada.codes("--base", "HEAD") == ["P007"]
    assert "BROKEN" in ada.says("owner", "list")
    assert "signing record 1 of owner Ada Lovelace" in ben.says("sign", "Ada Lovelace")
    assert "2 of 2" in ada.says("owner", "list")
    assert ada.codes("--base", "HEAD") == []
    ada.commit("Two of two")
    said = ben.says("owner", "rotate", "Ada Lovelace", "--drop", ada.public("ada"), "--threshold", "1")
    assert "still to sign: the keys of record 1 (1 of 2 needed signatures)" in said
    assert "complete" in ada.says("sign", "Ada Lovelace")
    assert ada.codes("--base", "HEAD") == []


def test_what_a_stolen_key_signed_means_nothing_until_it_is_signed_again(ada: Clone) -> None:
    ada.says("register", str(ada.draft()), "--commit")
    before_the_loss = ada.git("rev-parse", "HEAD")
    ada.says("register", str(ada.draft(("sonde_v1", "rain_gauge"), ("depth_read", "rain_fell"))), "--commit")
    ada.says("keys", "new", "next", "--scheme", "ml-dsa-44")
    revoke = ("owner", "revoke", "Ada Lovelace")
    refused = [
        (("main", "--reason", "compromised"), "a threshold of 1 with 0 keys"),
        (("main", "--reason", "stolen", "--add", "next"), "'stolen' is not one of"),
        (("--reason", "lost"), "Missing argument"),
        (("main", "--reason", "compromised", "--add", "next", "--standing-at", "nowhere"), "no commit is called"),
        ((ada.key_id("ben"), "--reason", "lost"), "names no key"),
    ]
    for words, said in refused:
        assert said in ada.refuses(*revoke, *words)

    ada.says(*revoke, "main", "--reason", "compromised", "--add", "next")
    assert ada.codes("--base", "HEAD") == ["P019", "P019"]
    said = ada.says("verify", code=1)
    assert "0 of 2 verified" in said
    assert "is revoked as compromised from record 0 on" in said
    ada.git("clean", "-fdq")

    ada.says(
        *revoke, ada.key_id("ada")[:12], "--reason", "compromised", "--add", "next", "--standing-at", before_the_loss
    )
    assert "compromised, void from record 0 on" in ada.says("owner", "show", "Ada Lovelace")
    said = ada.says("verify", "--quiet", code=1)
    assert "FAILED  lab.probe/rain_gauge" in said
    assert "1 of 2 verified" in said
    gauge = "registry/nodes/lab/probe/rain_gauge.yaml"
    assert "you hold no key" in ada.refuses("update", gauge, "--key", "main")
    ada.says("update", gauge)
    assert "2 of 2 verified" in ada.says("verify")
    assert ada.codes("--base", "HEAD") == []
    ada.commit("Recover from a theft")
    change = ada.read(PROBE_FILE).replace("tier: 0", "tier: 1")
    ada.write(PROBE_FILE, change)
    assert "P013" in ada.codes("--base", "HEAD"), "what stands, stands unchanged"


def test_who_lost_every_key_is_put_back_by_the_root_and_keeps_the_handle(ada: Clone) -> None:
    ben, cleo = ada.by("ben"), ada.by("cleo")
    ada.says("trust", "rotate", "--root", ada.public("cleo"), "--root-threshold", "2")
    cleo.says("trust", "sign")
    ben.says("owner", "create", "Ben")
    ben.says("register", str(ben.draft(owner="Ben")))
    ada.commit("Ben's node")
    handle = ben.handle("Ben")
    shutil.rmtree(ada.people / "ben")
    ben.says("keys", "new", "fresh", "--scheme", "ml-dsa-44")
    recover = ("owner", "recover", "Ben", "--with", ada.public("ben", "fresh"))
    assert "still to sign: the keys of record 0 (0 of 1" in ben.says("owner", "rotate", "Ben", "--add", "fresh")
    assert "P007" in ada.codes("--base", "HEAD"), "who has the new key only cannot put it there"
    ada.git("clean", "-fdq")
    assert "Missing option '--reason'" in ada.refuses(*recover)
    assert "none of your keys counts" in ada.by("dana").refuses(*recover, "--reason", "lost")
    said = ada.says(*recover, "--reason", "lost")
    assert "the root keys of version 2 (1 of 2 needed signatures)" in said
    assert "the keys of record 1 (0 of 1 needed signature)" in said
    assert set(ada.codes("--base", "HEAD")) == {"P007"}
    assert "still to sign: the keys of record 1" in cleo.says("sign", "Ben")
    assert "complete" in ben.says("sign", handle)
    assert "recovery by the trust root" in ada.says("owner", "show", "Ben")
    assert ada.codes("--base", "HEAD") == []
    assert "1 of 1 verified" in ada.says("verify"), "what the lost key signed stays good"
    ada.commit("Put Ben back")
    ben.says("update", PROBE_FILE)
    assert ada.codes("--base", "HEAD") == []
    assert ben.handle("Ben") == handle


def test_a_stolen_chain_is_taken_back_and_what_the_thief_signed_falls(ada: Clone) -> None:
    ben, thief = ada.by("ben"), ada.by("thief")
    ben.says("owner", "create", "Ben")
    ada.commit("Welcome Ben")
    thief.says("keys", "new", "mine", "--scheme", "ml-dsa-44")
    shutil.copytree(ada.people / "ben" / "keys", ada.people / "thief" / "keys", dirs_exist_ok=True)
    thief.says("owner", "rotate", "Ben", "--add", "mine", "--drop", "main")
    thief.says("register", str(ben.draft(owner="Ben")))
    ada.commit("All of it verifies")
    assert ada.codes() == []
    assert "none of your keys counts" in ben.refuses("owner", "revoke", "Ben", "main", "--reason", "lost")
    ben.says("keys", "new", "fresh", "--scheme", "ml-dsa-44")
    ada.says("owner", "recover", "Ben", "--with", ada.public("ben", "fresh"), "--reason", "compromised")
    ben.says("sign", "Ben")
    assert ada.codes("--base", "HEAD") == ["P019"]
    assert "none of your keys counts" in thief.refuses("owner", "rotate", "Ben", "--name", "Thief")
    assert "you hold no key of Ben" in thief.refuses("update", PROBE_FILE)
    ben.says("update", PROBE_FILE)
    assert ada.codes("--base", "HEAD") == []
    assert f"update {PROBE}" in ada.says("verify", PROBE)
    assert ada.read(PROBE_FILE).startswith(MODELINE)
    assert signers(ada, PROBE_SIGNED) == {ada.key_id("ben", "fresh")}
