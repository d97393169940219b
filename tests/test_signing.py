"""Who signs: key files, and programs that hold keys, honest ones and others."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodespec import keyring, signing
from nodespec.errors import UsageError
from tests.test_cli_register import PASSPHRASE, PROBE, PROBE_SIGNED, Clone, founded
from tests.test_cli_trust import payload, signers

SIGNER = Path(__file__).with_name("external_signer.py")

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's."""
    return founded(tmp_path, tmp_path_factory)


def program(clone: Clone, who: str = "ben", lie: str = "", *, scheme: str = "ml-dsa-44") -> str:
    """Return the command of a signer that holds somebody's key."""
    words = [sys.executable, str(SIGNER), private(clone, who, scheme), str(clone.people / "passphrase"), lie]
    return "exec:" + shlex.join(words if lie else words[:-1])


def private(clone: Clone, who: str, scheme: str = "ml-dsa-44") -> str:
    return str(clone.people / who / "keys" / f"main.{scheme}.key.pem")


# A program that holds the key.


def test_a_program_can_do_everything_that_a_key_file_can(ada: Clone, tmp_path: Path) -> None:
    """Nobody here has a configuration folder; the one key is the program's."""
    hsm = ("--signer", program(ada))
    ada.at(tmp_path).says("init", "acme", "--no-trust")
    acme = ada.at(tmp_path / "acme").by("nobody")
    log = Path(private(ada, "ben") + ".log")
    log.touch()
    said = acme.says("trust", "init", "--root", ada.public("ben"), *hsm)
    assert "wrote version 1" in said
    assert acme.codes() == []
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    assert {item["ask"] for item in asked} == {"keys", "sign"}
    assert all(item.keys() == {"version", "ask"} for item in asked if item["ask"] == "keys")
    assert all(item.keys() == {"version", "ask", "keyid", "message"} for item in asked if item["ask"] == "sign")
    assert {item["keyid"] for item in asked if item["ask"] == "sign"} == {ada.key_id("ben")}

    acme.commit("Found it")
    acme.says("owner", "create", "Box", *hsm)
    acme.says("register", str(acme.draft(owner="Box")), "--commit", *hsm)
    assert signers(acme, PROBE_SIGNED) == {ada.key_id("ben")}
    acme.says("trust", "grant", "Box", "--type", "lab", "--lane", "candidate", "--max-tier", "2", *hsm)
    acme.says("owner", "rotate", "Box", "--name", "Black Box", *hsm)
    acme.says("update", PROBE_SIGNED.replace(".dsse.json", ".yaml"), *hsm)
    assert "already" in acme.says("sign", PROBE, *hsm)
    assert "1 of 1 verified" in acme.says("verify")
    assert acme.codes("--base", "HEAD") == []
    assert not (ada.people / "nobody").exists()


def test_a_program_and_a_person_are_two(ada: Clone) -> None:
    ada.says("owner", "create", "Both", "--with", ada.public("ben"), "--threshold", "2")
    assert "complete" in ada.by("nobody").says("sign", "Both", "--signer", program(ada))
    assert "2 of 2" in ada.says("owner", "list")


def test_ed25519_comes_from_a_program_just_as_well(ada: Clone) -> None:
    ada.says("owner", "create", "Small", "--signer", program(ada, scheme="ed25519"))
    (record,) = (path for path in ada.git("ls-files", "-o").split("\n") if path.startswith("registry/owners/"))
    keys = payload(ada, record)["keys"]
    assert [key["scheme"] for key in keys] == ["ed25519"]  # type: ignore[attr-defined]
    assert ada.codes("--base", "HEAD") == []


LIES = {
    "another message": "a signature that does not verify",
    "flipped": "a signature that does not verify",
    "cut": "a signature that does not verify",
    "nothing": "a signature that does not verify",
    "crash": "ended with exit code 5",
    "killed": "ended with",
    "hang up": "cannot be used",
    "binary": "not UTF-8",
    "without end": "too long",
    "twice": "cannot be used",
    "a number": "must be text",
    "null": "must be text",
    "no base64": "not canonical base64",
    "loose base64": "not canonical base64",
    "more than asked": "unknown: note",
    "garbage": "cannot be used",
    "another scheme": "a key whose keyid or scheme is not that of its bytes",
    "another key id": "a key whose keyid or scheme is not that of its bytes",
    "a broken key": "a public key that cannot be used",
    "a private part": "unknown: private",
    "keys that are text": "keys must be a list",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_program_that_does_not_do_as_it_should_is_found_out(ada: Clone, lie: str) -> None:
    wallet = signing.external(program(ada, lie=lie))
    with pytest.raises(UsageError) as caught:
        _ = [signer.sign(b"message") for _, signer in wallet.signers(wallet.keys)]
    assert LIES[lie] in str(caught.value)
    assert str(caught.value).startswith('the signer "')


@pytest.mark.parametrize("lie", ["another message", "crash", "hang up", "garbage", "another key id", "no key"])
def test_of_what_such_a_program_signed_nothing_is_written(ada: Clone, lie: str) -> None:
    said = ada.refuses("owner", "create", "Box", "--signer", program(ada, lie=lie))
    assert LIES.get(lie, "a threshold of 1 with 0 keys") in said
    assert "error: the " in said
    assert not (ada.path / ".git" / "nodespec" / "journal.json").exists()


def test_a_program_that_names_a_key_it_does_not_have_is_found_out(ada: Clone) -> None:
    said = ada.refuses("owner", "create", "Box", "--signer", program(ada, "ben", ada.public("cleo")))
    assert "this signer has no such key" in said, "what it says on standard error is shown"
    assert "ended with exit code 65" in said
    said = ada.refuses("trust", "rotate", "--signer", program(ada, "ben", ada.public("ada")))
    assert "ended with exit code 65" in said, "and it does not count for another"
    said = ada.refuses("trust", "rotate", "--signer", program(ada, "ben"))
    assert "none of your keys is a root key" in said
    said = ada.refuses("register", str(ada.draft()), "--signer", program(ada, "ben"), "--commit")
    assert "you hold no key of Ada Lovelace" in said
    for lie in ("another message", "crash"):
        command = ("register", str(ada.draft()), "--signer", program(ada, "ada", lie), "--branch", "x")
        assert "error: the signer" in ada.refuses(*command)


def test_what_is_no_program_is_said(ada: Clone) -> None:
    for command, words in [
        ("exec:", "names no signer"),
        ("exec: ", "names no signer"),
        ("file:x", "names no signer"),
        ("exec:/no/such/program --slot 3", "cannot be run"),
        (f"exec:{ada.people}", "cannot be run"),
        ("exec:'open", "cannot be run"),
        ("exec:cat", "must have exactly the keys keys"),
    ]:
        assert words in ada.refuses("owner", "create", "Box", "--signer", command), command


def test_no_shell_reads_the_command(ada: Clone) -> None:
    trap = ada.people / "trap"
    for number, word in enumerate((f"$(touch${{IFS}}{trap})", f">{trap}", f";touch${{IFS}}{trap}")):
        ada.says("owner", "create", f"Box {number}", "--signer", f"{program(ada)} {word}")
        assert not trap.exists()


# Key files.


def files(clone: Clone, who: str, secret: Callable[[], str]) -> signing.FileWallet:
    return signing.FileWallet(keyring.listing(str(clone.people / who)), secret)


def test_a_wallet_of_files_asks_once_and_only_when_a_key_is_needed(ada: Clone) -> None:
    asked = []

    def secret() -> str:
        asked.append(1)
        return PASSPHRASE

    wallet = files(ada, "ada", secret)
    assert {key.scheme for key in wallet.keys} == {"ml-dsa-44", "ed25519"}
    assert signing.holding(wallet, wallet.keys) == list(wallet.keys)
    assert signing.holding(wallet, files(ada, "ben", secret).keys) == []
    assert wallet.signers([]) == []
    assert asked == []
    opened = wallet.signers(wallet.keys)
    assert asked == [1]
    for (key_id, signer), key in zip(opened, wallet.keys, strict=True):
        assert key_id == key.key_id
        assert key.verify(signer.sign(b"message"), b"message")


def test_a_public_half_alone_signs_nothing(ada: Clone) -> None:
    Path(private(ada, "ada")).unlink()
    assert [key.scheme for key in files(ada, "ada", lambda: PASSPHRASE).keys] == ["ed25519"]
    said = ada.refuses("register", str(ada.draft()))
    assert "you hold no key of Ada Lovelace" in said
    assert ada.key_id("ada")[:16] in said


def test_of_a_key_that_cannot_be_opened_nothing_is_told(ada: Clone) -> None:
    wrong = ada.people / "wrong"
    wrong.write_text("incorrect horse battery staple\n")
    before = ada.state()
    said = ada.says("register", str(ada.draft()), "--commit", code=2, NODESPEC_PASSPHRASE_FILE=str(wrong))
    assert "wrong passphrase" in said
    assert "incorrect horse" not in said
    said = ada.says("register", str(ada.draft()), code=2, NODESPEC_PASSPHRASE_FILE="")
    assert "no terminal to ask on" in said
    said = ada.says("register", str(ada.draft()), code=2, NODESPEC_PASSPHRASE_FILE=str(ada.people / "none"))
    assert "NODESPEC_PASSPHRASE_FILE cannot be read" in said
    shutil.copy(private(ada, "ben"), private(ada, "ada"))
    assert "is not the other half of" in ada.says("register", str(ada.draft()), code=2)
    Path(private(ada, "ada")).chmod(0o644)
    assert "can be read by others" in ada.says("register", str(ada.draft()), code=2)
    assert ada.state() == before


def test_a_message_names_the_program_and_not_what_it_holds() -> None:
    with pytest.raises(UsageError, match="cannot be run") as caught:
        _ = signing.external("exec:/no/such/program").keys
    assert "/no/such/program" in str(caught.value)
