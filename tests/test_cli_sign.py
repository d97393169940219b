"""`nodespec sign`, `cosign` and `verify` through real processes: signatures of several, and what they come to."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.test_cli_register import DRAFT, PROBE, PROBE_FILE, PROBE_SIGNED, Clone, founded

if TYPE_CHECKING:
    from pathlib import Path

ATTESTED = """\
security:
  attestation:
    report: urn:lab:report:sonde:1
    verifier: VERIFIER
    timestamp: "2026-01-10T00:00:00Z"
    nonce: 5f0c7b1e9a2d44838e6bb0c1f7d2a965
    verified: true
    proof_type: tpm
"""


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's."""
    return founded(tmp_path, tmp_path_factory)


@pytest.fixture
def deep(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The same, where Ada may publish up to tier 4, and Ben is a verifier."""
    return founded(tmp_path, tmp_path_factory, then=with_a_verifier)


def with_a_verifier(ada: Clone) -> None:
    """Let Ada grant herself tier 4 and appoint Ben."""
    ada.by("ben").says("owner", "create", "Ben")
    ada.says("trust", "grant", "Ada Lovelace", "--type", "lab", "--lane", "candidate", "--max-tier", "4")
    ada.says("trust", "rotate", "--verifier", "Ben")
    ada.commit("Appoint Ben")


def high(clone: Clone, *, verifier: str = "", tier: int = 4, verified: bool = True) -> str:
    """Return the path of a draft that needs a second signature."""
    attested = ATTESTED.replace("VERIFIER", verifier or clone.handle("Ben"))
    if not verified:
        attested = attested.replace("verified: true", "verified: false")
    text = DRAFT.replace("security: {}\n", attested).replace("tier: 0", f"tier: {tier}")
    return str(clone.draft(text=text))


# cosign


def test_tier_four_needs_the_verifier_and_then_verifies(deep: Clone) -> None:
    ada, ben, cleo = deep, deep.by("ben"), deep.by("cleo")
    said = ada.says("register", high(ada))
    assert re.search(
        rf"still to sign: the verifier Ben \(GLYMPH:\w+…\) \(0 of 1 needed signature\), with: nodespec cosign {PROBE}",
        said,
    )
    assert ada.codes("--base", "HEAD") == ["P023"]
    assert "0 of 1 verified" in ada.says("verify", code=1)
    for someone in (ada, cleo):
        said = someone.refuses("cosign", PROBE)
        assert "none of your keys counts" in said
        assert re.search(rf"the verifier Ben \(GLYMPH:\w+…\): {ada.key_id('ben')[:16]}", said)
    assert "none of your keys counts" in ben.refuses("sign", PROBE), "to sign is for the owner"

    said = ben.says("cosign", PROBE)
    assert f"signing register {PROBE} 0.1.0" in said
    assert f"signed by ml-dsa-44 {ada.key_id('ben')[:16]}" in said
    assert "complete" in said
    assert "verifier: ok: Ben, record 0: 1 of 1 needed signature\n" in ada.says("verify", PROBE)
    assert ada.codes("--base", "HEAD") == []
    assert "cosigned already" in ben.refuses("cosign", PROBE, code=0)
    ada.commit("A deep one")

    # The next version needs both again.
    ada.write(PROBE_FILE, ada.read(PROBE_FILE).replace("version: 0.1.0", "version: 0.2.0"))
    said = ben.refuses("cosign", PROBE)
    assert 'of version "0.1.0", and the file says "0.2.0"' in said
    assert "what does not verify is not cosigned" in said
    ada.says("update", PROBE_FILE)
    assert ada.codes("--base", "HEAD") == ["P023"]
    ben.says("cosign", PROBE_SIGNED)
    assert ada.codes("--base", "HEAD") == []


def test_the_verifier_looks_at_a_branch_and_signs_there(deep: Clone, tmp_path: Path) -> None:
    said = deep.says("register", high(deep), "--branch", "deep")
    assert "nodespec cosign" in said
    bens = deep.clone(tmp_path / "bens").by("ben")
    bens.git("checkout", "-q", "deep")
    bens.says("cosign", PROBE)
    bens.commit("Cosign")
    assert "no findings" in bens.says("validate", "--at", "HEAD", "--base", "origin/main")
    bens.git("push", "-q", "origin", "deep")
    assert "1 of 1 verified" in deep.says("verify", "--at", "deep")
    assert deep.says("verify", "--at", "main", code=4)


def test_nobody_vouches_for_themselves_and_no_stranger_for_others(deep: Clone) -> None:
    ada = deep
    ada.by("cleo").says("owner", "create", "Cleo")
    for verifier, code in (("Ada Lovelace", "P024"), ("Cleo", "P025")):
        said = ada.refuses("register", high(ada, verifier=ada.handle(verifier)), code=1)
        assert f"error[{code}]" in said
        assert f"{PROBE_FILE}:29:15" in said
    said = ada.refuses("register", high(ada, verifier="GLYMPH:" + "0" * 64), code=3)
    assert "no owner GLYMPH:0000000000000000… is known here" in said
    ada.says("register", high(ada, tier=1))
    assert ada.codes("--base", "HEAD") == ["P023"], "verified: true is worth something on every tier"
    ada.says("register", high(ada, tier=1, verified=False))
    assert ada.codes("--base", "HEAD") == []


def test_what_is_not_the_owners_word_is_not_cosigned(deep: Clone) -> None:
    ada, ben = deep, deep.by("ben")
    assert "no node is called" in ben.refuses("cosign", PROBE)
    ada.says("register", high(ada))
    signed = json.loads(ada.read(PROBE_SIGNED))
    good = ada.read(PROBE_SIGNED)
    ada.write(PROBE_SIGNED, good[:-1])
    assert "not a signed envelope" in ben.refuses("cosign", PROBE)
    signed["signatures"][0]["sig"] = "A" * 3227 + "="
    ada.write(PROBE_SIGNED, json.dumps(signed, separators=(",", ":"), sort_keys=True) + "\n")
    assert "what does not verify is not cosigned" in ben.refuses("cosign", PROBE)
    (ada.path / PROBE_SIGNED).unlink()
    assert "what does not verify is not cosigned" in ben.refuses("cosign", PROBE)
    ada.write(PROBE_SIGNED, good)
    ben.says("cosign", PROBE)
    ada.commit("Cosigned")
    ada.says("trust", "rotate", "--no-verifier", "Ben")
    assert "P025" in ada.codes("--base", "HEAD")
    assert "no verifier of this registry" in ben.refuses("cosign", PROBE)


# sign


def test_two_people_who_are_one_owner_sign_in_turn_in_clones_of_their_own(ada: Clone, tmp_path: Path) -> None:
    ada.says("owner", "create", "Both", "--with", ada.public("ben"), "--threshold", "2")
    ada.git("switch", "-qc", "both")
    ada.commit("One of two has signed")
    bens = ada.clone(tmp_path / "bens").by("ben")
    assert "complete" in bens.says("sign", "Both")
    bens.commit("The other one, too")
    bens.git("push", "-q", "origin", "HEAD:refs/heads/welcome")
    assert "no findings" in ada.says("validate", "--at", "welcome", "--base", "main")

    ada.git("merge", "-q", "welcome")
    ada.says("register", str(ada.draft(owner="Both")))
    # By mail: two files go to Ben, one comes back.
    bens.git("clean", "-fdq")
    for path in (PROBE_FILE, PROBE_SIGNED):
        (bens.path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ada.path / path, bens.path / path)
    said = bens.at(bens.path / "registry" / "nodes").says("sign", "lab/probe/sonde_v1.yaml")
    assert f"signing register {PROBE} 0.1.0 in lab.test (sequence 0, SHA-256 " in said
    shutil.copy(bens.path / PROBE_SIGNED, ada.path / PROBE_SIGNED)
    assert "2 of 2 needed signatures" in ada.says("verify", PROBE)
    before = ada.files()
    for target in (PROBE, PROBE_FILE, PROBE_SIGNED, str(ada.path / PROBE_FILE)):
        said = ada.says("sign", target)
        assert "your keys have signed" in said
        assert "already" in said
        assert "still to sign" not in said
    assert ada.files() == before


def test_what_cannot_be_signed_is_said(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    files = ("registry/trust/0002.dsse.json", "registry/registry.yaml", str(ada.people / "passphrase"))
    for target in ("lab.probe/none", "Nobody", *files):
        assert "error: " in ada.refuses("sign", target)
    ada.write(PROBE_FILE, ada.read(PROBE_FILE) + "# changed\n")
    assert "not about the bytes that stand in" in ada.refuses("sign", PROBE), "nobody signs for other bytes"
    ada.git("clean", "-fdq")
    record = ada.git("ls-files", "registry/owners")
    ada.write(record, ada.read(record).replace("payloadType", "payloadtype"))
    assert "cannot be signed" in ada.refuses("sign", record)
    assert "Missing argument" in ada.refuses("sign")
    assert "bare repository" in ada.says("sign", PROBE, "--repo", str(ada.path / ".git"), code=2)


# verify


def test_verify_says_who_stands_behind_what_step_by_step(ada: Clone, tmp_path: Path) -> None:
    assert "nothing is registered here" in ada.says("verify", code=4)
    ada.says("register", str(ada.draft()), "--commit")
    gauge = ada.draft(("sonde_v1", "rain_gauge"), ("depth_read", "rain_fell"))
    ada.says("register", str(gauge), "--commit")
    ada.says("deregister", "lab.probe/rain_gauge", "--reason", "It leaks", "--commit")
    said = ada.says("verify")
    assert "ok      lab.probe/sonde_v1\nok      lab.probe/rain_gauge\n2 of 2 verified" in said
    assert "not checked: whether the first trust root is the right one" in said
    assert "a base shows that" in said
    assert "ok  " not in ada.says("verify", "--quiet")
    for target in (PROBE, PROBE_FILE, str(ada.path / PROBE_FILE)):
        said = ada.says("verify", target)
        numbered = [line.split(":")[0].strip() for line in said.split("\n") if line.startswith("  ") and ":" in line]
        assert numbered == [f"{number} {name}" for name, number in zip(STEPS, [*range(1, 8), 10, 11], strict=True)]
    assert "deregister lab.probe/rain_gauge 0.1.0, sequence 1" in ada.says("verify", "lab.probe/rain_gauge")
    said = ada.says("verify", "lab.probe/rain_gauge", "--at", "HEAD~1")
    assert "register lab.probe/rain_gauge 0.1.0, sequence 0" in said
    assert "1 of 1 verified" in ada.says("verify", "--at", "HEAD~2")
    ada.git("clone", "-q", "--bare", ".", str(tmp_path / "hub.git"))
    assert "2 of 2 verified" in ada.says("verify", "--repo", str(tmp_path / "hub.git"))

    shown = json.loads(ada.run("verify", PROBE, "--format", "json").stdout)
    assert shown["version"] == 1
    (result,) = shown["results"]
    assert (result["id"], result["path"], result["verified"]) == (PROBE, PROBE_FILE, True)
    assert [step["name"] for step in result["steps"]] == list(STEPS)
    assert all(step["held"] and step["seen"] for step in result["steps"])
    assert len(shown["owed"]) == 2


STEPS = ("envelope", "owner chain", "signature", "subject", "bytes", "owner", "scheme", "no others", "delegation")


def test_verify_says_what_does_not_hold_and_what_it_could_not_judge(ada: Clone) -> None:
    ada.says("register", str(ada.draft()), "--commit")
    ada.says("register", str(ada.draft(("sonde_v1", "rain_gauge"), ("depth_read", "rain_fell"))), "--commit")
    for target in ("lab.probe/none", "lab.probe", "nothing.yaml", "registry/registry.yaml"):
        assert "error: no" in ada.says("verify", target, code=2)
    assert "no commit is called" in ada.says("verify", "--at", "nowhere", code=2)
    ada.write(PROBE_FILE, ada.read(PROBE_FILE).replace("# hers", "# his"))
    said = ada.says("verify", code=1)
    assert f"FAILED  {PROBE}: the file's bytes are not those that were signed" in said
    assert "1 of 2 verified" in said
    shown = json.loads(ada.run("verify", "--format", "json").stdout)
    assert [(item["id"], item["verified"]) for item in shown["results"]] == [
        ("lab.probe/rain_gauge", True),
        (PROBE, False),
    ]
    assert "bytes: FAILED" in ada.says("verify", PROBE, code=1)
    assert "1 of 1 verified" in ada.says("verify", "lab.probe/rain_gauge")
    assert "2 of 2 verified" in ada.says("verify", "--at", "HEAD")
    (ada.path / PROBE_SIGNED).unlink()
    assert "nobody stands behind it" in ada.says("verify", code=1)
    shutil.copy(ada.path / PROBE_SIGNED.replace("sonde_v1", "rain_gauge"), ada.path / PROBE_SIGNED)
    assert "P011" in ada.codes(), "the attestation of another node says nothing here"
    ada.git("checkout", "-q", ".")
    shutil.rmtree(ada.path / "registry" / "owners")
    assert "no owner GLYMPH:" in ada.says("verify", code=1)
    shutil.rmtree(ada.path / "registry" / "trust")
    assert "no trust root" in ada.says("verify", code=3)


def test_a_stranger_s_draft_of_the_trust_root_is_never_signed_unseen(ada: Clone) -> None:
    """A branch brings a half-made version, and the maintainer means to do something else."""
    eve = ada.by("cleo")
    first = json.loads((ada.path / "registry/trust/0001.dsse.json").read_bytes())
    said = eve.refuses("trust", "rotate", "--root", ada.public("cleo"))
    assert "none of your keys is a root key" in said, "a key that would be one is none yet"
    ada.says("trust", "rotate", "--root", ada.public("cleo"))
    second = ada.path / "registry/trust/0002.dsse.json"
    draft = json.loads(second.read_bytes())
    draft["signatures"] = [item for item in draft["signatures"] if item["keyid"] == ada.key_id("cleo")] or [
        {"keyid": ada.key_id("cleo"), "sig": first["signatures"][0]["sig"]}
    ]
    second.write_text(json.dumps(draft, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    ada.commit("please grant me lab2")
    said = ada.refuses("trust", "grant", "Ada Lovelace", "--type", "lab2", "--lane", "candidate", "--max-tier", "1")
    assert "was begun by somebody else" in said
    assert "nodespec trust sign shows what it changes" in said
    second.unlink()
    said = ada.says("trust", "grant", "Ada Lovelace", "--type", "lab2", "--lane", "candidate", "--max-tier", "1")
    assert re.search(r"  \+ delegation to GLYMPH:\w+…: lab2 in candidate up to tier 1\n", said), (
        "and it says what it changes"
    )


def test_a_seal_says_what_it_changes_and_is_completed_not_replaced(ada: Clone) -> None:
    ben = ada.by("ben")
    ada.says("trust", "rotate", "--maintainer", ada.public("ben"), "--maintainer-threshold", "2")
    ada.commit("Two maintainers")
    said = ada.says("seal")
    assert "  + registry/registry.yaml\n" in said
    assert "still to sign" in said
    assert "complete" in ben.says("seal")
    sealed = json.loads((ada.path / "registry/seal.dsse.json").read_bytes())
    assert len(sealed["signatures"]) == 2
    ada.commit("Seal")
    ada.replace("registry/registry.yaml", "max_tier: 1", "max_tier: 2")
    said = ada.says("seal")
    assert "  ~ registry/registry.yaml\n" in said
    assert "schemas/" not in said
    assert "  ~ registry/registry.yaml\n" in ben.says("sign", "registry/seal.dsse.json")
    assert ada.codes("--base", "HEAD") == []


def test_a_half_made_seal_that_was_committed_is_completed_too_and_a_whole_one_left_alone(ada: Clone) -> None:
    ben = ada.by("ben")
    ada.says("trust", "rotate", "--maintainer", ada.public("ben"), "--maintainer-threshold", "2")
    ada.says("seal")
    ada.commit("A seal for Ben to complete")
    assert "signing seal 0 of lab.test" in ben.says("seal")
    sealed = ada.read("registry/seal.dsse.json")
    assert len(json.loads(sealed)["signatures"]) == 2
    ada.commit("Complete it")
    for who in (ada, ben):
        said = who.says("seal")
        assert "have signed seal 0 of lab.test" in said
        assert "commit" not in said
    assert ada.read("registry/seal.dsse.json") == sealed


def test_new_maintainers_seal_anew(ada: Clone) -> None:
    ben = ada.by("ben")
    ada.says("seal")
    ada.commit("Seal")
    his = [word for role in ("--root", "--maintainer", "--checkpoint") for word in (role, ada.public("ben"))]
    ada.says("trust", "rotate", *his, "--drop", "main")
    ben.says("trust", "sign")
    assert "wrote seal 1 " in ben.says("seal")


def test_a_seal_on_a_branch_is_made_anew_for_all_of_it(ada: Clone) -> None:
    """The branch's earlier seal is not merged; the next one follows from main's, and main takes it."""
    ada.says("seal")
    ada.commit("Seal")
    ada.git("checkout", "-q", "-b", "wider")
    ada.replace("registry/registry.yaml", "max_tier: 1", "max_tier: 2")
    ada.says("seal")
    ada.commit("Wider")
    ada.replace("registry/registry.yaml", "max_tier: 2", "max_tier: 3")
    assert "wrote seal 2 " in ada.says("seal")
    assert "C008" in ada.codes("--base", "main")
    assert "--base origin/main" in ada.run("validate", "--base", "main").stdout
    assert "wrote seal 1 " in ada.says("seal", "--base", "main")
    assert ada.codes("--base", "main") == []


def test_a_seal_that_lacks_a_signature_says_how_it_gets_one(ada: Clone) -> None:
    ada.says("trust", "rotate", "--maintainer", ada.public("ben"), "--maintainer-threshold", "2")
    ada.says("seal")
    assert "each completes it: nodespec sign registry/seal.dsse.json" in ada.run("validate").stdout
