"""Checkpoints: made, verified, tampered with, through real processes and real repositories."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nodespec.encoding import canonical_json
from tests.conftest import ADAPTER_FILE, KILLED, NODESPEC, ROOT, Checkout, as_mere_owner

HMAC = {"REGISTRY_HMAC_KEY": "Q3v8ZkT1xW7nB5rY2mD9pL4sH6jF0aGc"}


@pytest.fixture
def signed(example: Checkout) -> Checkout:
    """An ordinary registry (not an example) with a checkpoint of HEAD in head.json, signed by the user's own keys."""
    example.replace("registry/registry.yaml", "example: true", "example: false")
    example.git("rm", "-r", "-q", "registry/trust", "registry/owners")
    example.commit("no example")
    assert example.run("keys", "new").returncode == 0
    done = example.run("trust", "init")
    assert done.returncode == 0, done.stderr
    example.commit("A trust root of our own")
    done = example.run("checkpoint", "create", "HEAD", "--output", "head.json")
    assert done.returncode == 0, done.stderr
    return example


def payload(checkout: Checkout, name: str = "head.json") -> dict:
    return json.loads(base64.b64decode(json.loads(checkout.read(name))["payload"]))


def tamper(checkout: Checkout, **changes: object) -> None:
    """Rewrite the envelope's fields without signing again."""
    fields = json.loads(checkout.read("head.json")) | changes
    checkout.write("head.json", canonical_json(fields) + b"\n")


def test_a_checkpoint_verifies_step_by_step_and_says_what_is_owed(signed: Checkout) -> None:
    done = signed.run("checkpoint", "verify", "head.json")
    assert done.returncode == 0, done.stdout
    steps = [line.split(":")[0] for line in done.stdout.splitlines()[:-1]]
    assert steps == [
        "1 envelope", "2 signatures", "3 statement", "4 registry", "5 commit", "6 manifest", "7 time"
    ]  # fmt: skip
    assert done.stdout.endswith("verified\n")
    assert "not checked: whether this is the newest checkpoint" in done.stderr


def test_it_is_an_in_toto_statement_in_a_dsse_envelope(signed: Checkout) -> None:
    statement = payload(signed)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert json.loads(signed.read("head.json"))["payloadType"] == "application/vnd.in-toto+json"
    manifest = signed.run("checkpoint", "manifest", "HEAD").stdout.encode()
    (subject,) = statement["subject"]
    root = manifest.decode().splitlines()[1].removeprefix("root ")
    commit, tree = signed.git("rev-parse", "HEAD", "HEAD^{tree}").split()
    assert subject["digest"] == {"gitCommit": commit, "gitTree": tree, "nodespecManifestRoot": root}
    assert statement["predicate"]["manifest"]["root"] == root


def test_it_verifies_in_any_clone_with_the_public_keys_alone(signed: Checkout, tmp_path: Path) -> None:
    signed.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    public = [str(path) for path in sorted((tmp_path / "home" / "keys").glob("*.pub.pem"))]
    options = [word for path in public for word in ("--key", path)]
    elsewhere = {"NODESPEC_HOME": str(tmp_path / "nobody")}
    done = signed.run("checkpoint", "verify", "head.json", "--repo", str(tmp_path / "bare.git"), *options, **elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    one = signed.run("checkpoint", "verify", "head.json", "--key", public[0], **elsewhere)
    assert one.returncode == 1
    assert "no valid signature of" in one.stdout


def test_without_a_trusted_key_nothing_is_verified(signed: Checkout, tmp_path: Path) -> None:
    done = signed.run("checkpoint", "verify", "head.json", NODESPEC_HOME=str(tmp_path / "nobody"))
    assert done.returncode == 2
    assert "no public key is trusted" in done.stderr


def test_a_stripped_signature_fails(signed: Checkout) -> None:
    signatures = json.loads(signed.read("head.json"))["signatures"]
    for kept in ([signatures[0]], [signatures[1]]):
        tamper(signed, signatures=kept)
        done = signed.run("checkpoint", "verify", "head.json")
        assert done.returncode == 1
        assert "no valid signature of" in done.stdout
        assert done.stdout.endswith("NOT verified\n")


def test_a_changed_payload_fails(signed: Checkout) -> None:
    statement = payload(signed)
    statement["predicate"]["manifest"]["files"] += 1
    tamper(signed, payload=base64.b64encode(canonical_json(statement)).decode())
    assert "2 signatures: FAILED" in signed.run("checkpoint", "verify", "head.json").stdout


@pytest.mark.parametrize("position", [0, 1])
def test_one_flipped_bit_in_a_signature_fails(signed: Checkout, position: int) -> None:
    signatures = json.loads(signed.read("head.json"))["signatures"]
    raw = bytearray(base64.b64decode(signatures[position]["sig"]))
    raw[17] ^= 1
    signatures[position]["sig"] = base64.b64encode(bytes(raw)).decode()
    tamper(signed, signatures=signatures)
    assert signed.run("checkpoint", "verify", "head.json").returncode == 1


def test_a_key_id_is_only_a_hint(signed: Checkout) -> None:
    signatures = json.loads(signed.read("head.json"))["signatures"]
    signatures[0]["keyid"], signatures[1]["keyid"] = signatures[1]["keyid"], signatures[0]["keyid"]
    tamper(signed, signatures=signatures)
    assert signed.run("checkpoint", "verify", "head.json").returncode == 1


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"null", b'{"payload": "QR==", "payloadType": "x", "signatures": []}', b"\xff", b"[" * 100000]
)
def test_what_is_no_envelope_fails_with_a_reason(signed: Checkout, text: bytes) -> None:
    signed.write("head.json", text)
    done = signed.run("checkpoint", "verify", "head.json")
    assert done.returncode == 1
    assert "1 envelope: FAILED: not a DSSE envelope: " in done.stdout


def test_somebody_else_s_signature_is_named_as_such(signed: Checkout, tmp_path: Path) -> None:
    other = {"NODESPEC_HOME": str(tmp_path / "other")}
    assert signed.run("keys", "new", **other).returncode == 0
    done = signed.run("checkpoint", "verify", "head.json", **other)
    assert done.returncode == 1
    assert "signed by keys you do not trust" in done.stdout


def test_a_checkpoint_of_another_registry_fails(signed: Checkout) -> None:
    signed.replace("registry/registry.yaml", "registry_id: ", "registry_id: other.")
    signed.commit("another name")
    done = signed.run("checkpoint", "verify", "head.json")
    assert done.returncode == 1
    assert "4 registry: FAILED" in done.stdout
    follow = signed.run("checkpoint", "create", "HEAD", "--previous", "head.json")
    assert follow.returncode == 2


def test_a_checkpoint_of_another_commit_does_not_answer_for_the_one_asked_for(signed: Checkout) -> None:
    before = signed.git("rev-parse", "HEAD")
    assert signed.run("checkpoint", "create", "HEAD").returncode == 0
    signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    after = signed.commit("later")
    kept = signed.path / ".git" / "nodespec" / "checkpoints"
    (kept / f"{after}.dsse.json").write_bytes((kept / f"{before}.dsse.json").read_bytes())
    done = signed.run("checkpoint", "verify", "HEAD")
    assert done.returncode == 1
    assert "5 commit: FAILED: it is about commit" in done.stdout


def test_a_key_that_cannot_satisfy_the_registry_does_not_sign(signed: Checkout) -> None:
    assert signed.run("keys", "new", "half", "--scheme", "ed25519").returncode == 0
    done = signed.run("checkpoint", "create", "--key", "half", "-o", "half.json")
    assert done.returncode == 2
    assert "your key half (ed25519) does not hold the checkpoint role here" in done.stderr
    signed.git("rm", "-q", "registry/trust/0001.dsse.json")
    signed.commit("no trust root")
    done = signed.run("checkpoint", "create", "--key", "half", "-o", "half.json")
    assert done.returncode == 2
    assert "requires a signature of ml-dsa-44" in done.stderr
    assert not (signed.path / "half.json").exists()


def test_a_commit_that_is_not_here_fails(signed: Checkout, empty: Checkout, tmp_path: Path) -> None:
    signed.git("clone", "-q", "--depth", "1", f"file://{signed.path}", str(tmp_path / "before"))
    signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    signed.commit("later")
    assert signed.run("checkpoint", "create", "HEAD", "--output", "later.json").returncode == 0
    done = signed.run("checkpoint", "verify", "later.json", "--repo", str(tmp_path / "before"))
    assert done.returncode == 1
    assert "5 commit: FAILED" in done.stdout or "4 commit: FAILED" in done.stdout


def test_checkpoints_form_a_chain(signed: Checkout) -> None:
    signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    signed.commit("later")
    done = signed.run("checkpoint", "create", "HEAD", "--previous", "head.json", "--output", "next.json")
    assert done.returncode == 0, done.stderr
    first = base64.b64decode(json.loads(signed.read("head.json"))["payload"])
    predicate = payload(signed, "next.json")["predicate"]
    assert predicate["sequence"] == 1
    assert predicate["previous"] == hashlib.sha256(first).hexdigest()
    tamper(signed, signatures=json.loads(signed.read("head.json"))["signatures"][:1])
    refused = signed.run("checkpoint", "create", "HEAD", "--previous", "head.json", "--output", "x.json")
    assert refused.returncode == 2
    assert "does not verify" in refused.stderr
    assert not (signed.path / "x.json").exists()


def test_age_is_checked_when_asked(signed: Checkout) -> None:
    assert signed.run("checkpoint", "verify", "head.json", "--max-age", "1h").returncode == 0
    assert signed.run("checkpoint", "verify", "head.json", "--max-age", "soon").returncode == 2


def test_by_default_a_checkpoint_is_kept_in_the_git_folder_and_found_by_revision(signed: Checkout) -> None:
    before = signed.files()
    assert signed.run("checkpoint", "create").returncode == 0
    assert signed.run("checkpoint", "verify", "HEAD").returncode == 0
    assert signed.files() == before
    assert signed.run("checkpoint", "verify", "HEAD~1").returncode == 2


def test_the_manifest_is_the_same_from_every_copy(signed: Checkout, tmp_path: Path) -> None:
    signed.write(".gitattributes", "* text eol=crlf\n")
    signed.commit("attributes cannot touch it")
    here = signed.run("checkpoint", "manifest", "HEAD").stdout
    signed.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    signed.git("gc", "-q", "--aggressive")
    assert signed.run("checkpoint", "manifest", "HEAD").stdout == here
    assert signed.run("checkpoint", "manifest", "HEAD", "--repo", str(tmp_path / "bare.git")).stdout == here


def test_a_tree_with_more_than_plain_files_has_no_manifest(example: Checkout) -> None:
    os.symlink("registry.yaml", example.path / "registry" / "link.yaml")
    example.commit("a link")
    done = example.run("checkpoint", "manifest", "HEAD")
    assert done.returncode == 3
    assert "registry/link.yaml" in done.stderr
    assert done.stdout == ""


def test_a_file_named_like_a_revision_does_not_answer_for_it(signed: Checkout) -> None:
    signed.write("HEAD", signed.read("head.json"))
    signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    signed.commit("with a file called HEAD")
    done = signed.run("checkpoint", "verify", "HEAD")
    assert done.returncode == 2
    assert "the file of that name is ./HEAD" in done.stderr
    assert signed.run("checkpoint", "verify", "./HEAD").returncode == 0


def test_a_name_that_is_no_revision_is_no_file_either(signed: Checkout) -> None:
    signed.write("v9", signed.read("head.json"))
    assert signed.run("checkpoint", "verify", "v9").returncode == 2
    assert signed.run("checkpoint", "verify", "./v9").returncode == 0


def test_a_checkpoint_follows_an_earlier_commit_only(signed: Checkout) -> None:
    before = signed.git("rev-parse", "HEAD")
    signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
    signed.commit("later")
    assert signed.run("checkpoint", "create", "HEAD", "-o", "later.json").returncode == 0
    done = signed.run("checkpoint", "create", before, "--previous", "later.json", "-o", "x.json")
    assert done.returncode == 2
    assert "does not come before this one" in done.stderr


def test_checkpoints_work_inside_a_bare_repository(signed: Checkout, tmp_path: Path) -> None:
    signed.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Checkout(tmp_path / "bare.git", signed.environment)
    assert bare.run("checkpoint", "create", "HEAD").returncode == 0
    assert bare.run("checkpoint", "verify", "HEAD").returncode == 0


def test_linked_work_trees_share_their_checkpoints(signed: Checkout, tmp_path: Path) -> None:
    assert signed.run("checkpoint", "create").returncode == 0
    signed.git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "second")
    second = Checkout(tmp_path / "second", signed.environment)
    assert second.run("checkpoint", "verify", "second").returncode == 0


def test_writing_a_checkpoint_loses_nothing(signed: Checkout) -> None:
    before = signed.files()
    for path in ("registry/registry.yaml", "head.json", "."):
        assert signed.run("checkpoint", "create", "-o", path).returncode == 2
    assert signed.files() == before
    assert signed.run("checkpoint", "create", "--previous", "head.json").returncode == 0
    done = signed.run("checkpoint", "create")
    assert done.returncode == 2
    assert "checkpoint 1 of this commit is kept" in done.stderr


INDEX = ".git/nodespec/index.sqlite3"


class TestTheOneItFollows:
    """By default a checkpoint follows the nearest that is kept, and costs what changed since."""

    @pytest.fixture
    def chained(self, signed: Checkout) -> Checkout:
        """A registry whose HEAD~1 has a kept checkpoint, and whose HEAD changed one file."""
        assert signed.run("checkpoint", "create").returncode == 0
        signed.replace(ADAPTER_FILE, "tier: 5", "tier: 6")
        signed.commit("later")
        return signed

    @staticmethod
    def kept(checkout: Checkout, revision: str = "HEAD", suffix: str = "") -> Path:
        commit = checkout.git("rev-parse", revision)
        return checkout.path / ".git" / "nodespec" / "checkpoints" / f"{commit}{suffix}.dsse.json"

    def predicate(self, checkout: Checkout, revision: str = "HEAD", suffix: str = "") -> dict:
        path = self.kept(checkout, revision, suffix)
        return payload(checkout, str(path.relative_to(checkout.path)))["predicate"]

    def right(self, checkout: Checkout) -> dict:
        """What the manifest of HEAD comes to, by reading everything."""
        lines = checkout.run("checkpoint", "manifest").stdout.splitlines()
        return {"root": lines[1].removeprefix("root "), "files": int(lines[2].removeprefix("files "))}

    def test_the_nearest_kept_along_first_parents_is_followed_and_named(self, chained: Checkout) -> None:
        chained.git("checkout", "-q", "-b", "side", "HEAD~1")
        chained.write("registry/policies/side.cel.yaml", "# nothing\n")
        chained.commit("aside")
        assert chained.run("checkpoint", "create").returncode == 0
        chained.git("checkout", "-q", "main")
        chained.git("-c", "user.name=Ada", "-c", "user.email=a@example.org", "merge", "-q", "-m", "merge", "side")
        done = chained.run("checkpoint", "create")
        assert done.returncode == 0, done.stderr
        before = chained.git("rev-parse", "HEAD~2")
        assert f"  after  checkpoint 0 at {before[:10]}\n" in done.stdout
        made = self.predicate(chained)
        digest = hashlib.sha256(base64.b64decode(json.loads(self.kept(chained, "HEAD~2").read_text())["payload"]))
        assert (made["sequence"], made["previous"]) == (1, digest.hexdigest())
        assert made["manifest"] == self.right(chained)
        assert chained.run("checkpoint", "verify", "HEAD").returncode == 0

    def test_a_chain_begins_where_none_is_kept_or_when_it_is_asked_for(self, chained: Checkout) -> None:
        done = chained.run("checkpoint", "create", "--anew")
        assert "after  none: a chain begins here" in done.stdout
        assert self.predicate(chained)["sequence"] == 0
        assert chained.run("checkpoint", "create", "--anew", "--previous", "head.json").returncode == 2
        again = chained.run("checkpoint", "create")
        assert again.returncode == 2
        assert "checkpoint 0 of this commit is kept, and this would be 1" in again.stderr

    def test_the_same_commit_can_have_its_checkpoint_made_again(self, chained: Checkout) -> None:
        for _ in range(2):
            assert chained.run("checkpoint", "create").returncode == 0
            assert self.predicate(chained)["sequence"] == 1

    def test_on_standard_output_stands_the_checkpoint_alone(self, chained: Checkout) -> None:
        done = chained.run("checkpoint", "create", "-o", "-")
        assert json.loads(done.stdout)["payloadType"] == "application/vnd.in-toto+json"
        assert "after  checkpoint 0 at" in done.stderr

    @pytest.mark.parametrize("how", ["a flipped bit", "one signature", "nothing", "rubbish", "another's"])
    def test_one_that_does_not_verify_is_refused_and_nothing_begins_anew(self, chained: Checkout, how: str) -> None:
        path = self.kept(chained, "HEAD~1")
        fields = json.loads(path.read_text())
        raw = bytearray(base64.b64decode(fields["payload"]))
        raw[-9] ^= 1
        other = {"NODESPEC_HOME": str(chained.path.parent / "other")}
        assert chained.run("keys", "new", **other).returncode == 0
        path.write_bytes(
            {
                "a flipped bit": canonical_json(fields | {"payload": base64.b64encode(bytes(raw)).decode()}),
                "one signature": canonical_json(fields | {"signatures": fields["signatures"][:1]}),
                "nothing": b"",
                "rubbish": b"rubbish",
                "another's": canonical_json(fields | {"signatures": []}),
            }[how]
        )
        done = chained.run("checkpoint", "create")
        assert done.returncode == 2
        assert "the previous checkpoint does not verify" in done.stderr
        assert path.name in done.stderr
        assert "--anew" in done.stderr
        assert not self.kept(chained).exists()
        assert chained.run("checkpoint", "create", "--anew").returncode == 0

    def test_one_of_another_registry_is_refused(self, chained: Checkout) -> None:
        chained.replace("registry/registry.yaml", "registry_id: ", "registry_id: other.")
        chained.git("rm", "-r", "-q", "registry/trust")
        chained.commit("another name")
        done = chained.run("checkpoint", "create")
        assert done.returncode == 2
        assert 'it is about "matriz.example"' in done.stderr
        assert not self.kept(chained).exists()
        assert chained.run("checkpoint", "create", "--anew").returncode == 0

    def test_one_by_keys_that_signed_before_is_followed_by_whoever_pinned_the_registry(self, chained: Checkout) -> None:
        home = Path(chained.environment["NODESPEC_HOME"]) / "keys"
        assert chained.run("keys", "new", "next").returncode == 0
        publics = [f"--checkpoint={path}" for path in sorted(home.glob("next.*.pub.pem"))]
        done = chained.run("trust", "rotate", *publics)
        assert done.returncode == 0, done.stderr
        chained.commit("both sign")
        pins = home.parent / "pins"
        if pins.exists():
            pins.rename(home.parent / "kept")
        refused = chained.run("checkpoint", "create", "--key", "next")
        assert refused.returncode == 2
        assert "signed by keys you do not trust" in refused.stderr
        assert chained.run("trust", "pin").returncode == 0
        blob = chained.git("rev-parse", "HEAD:schemas/registry.v1.schema.json")
        loose = chained.path / ".git/objects" / blob[:2] / blob[2:]
        away = loose.rename(chained.path.parent / "away")
        unread = chained.run("checkpoint", "create", "--key", "next")
        assert unread.returncode == 3, "nobody signs on somebody else's word: everything is hashed"
        away.rename(loose)
        done = chained.run("checkpoint", "create", "--key", "next")
        assert done.returncode == 0, done.stderr
        assert self.predicate(chained)["sequence"] == 1

    def test_the_compatibility_scheme_follows_its_own_alone(self, chained: Checkout) -> None:
        create = ("checkpoint", "create", "--scheme", "hmac-sha256")
        assert "after  none" in chained.run(*create, **HMAC).stdout
        chained.replace(ADAPTER_FILE, "tier: 6", "tier: 7")
        chained.commit("later still")
        assert "after  checkpoint 0 at" in chained.run(*create, **HMAC).stdout
        assert self.predicate(chained, suffix=".hmac-sha256")["manifest"] == self.right(chained)

    # The index makes it quick, and nothing else.

    def test_it_reads_what_changed_and_nothing_more(self, chained: Checkout) -> None:
        """Every blob of the registry but the one that changed, the settings and the trust root is taken away."""
        needed = {ADAPTER_FILE, "registry/registry.yaml", "registry/trust/0001.dsse.json"}
        chained.git("gc", "-q", "--prune=now")
        for pack in (chained.path / ".git/objects/pack").glob("*.pack"):
            loose = pack.read_bytes()
            for path in pack.parent.glob("pack-*"):
                path.unlink()
            subprocess.run(["git", "unpack-objects", "-q"], cwd=chained.path, input=loose, check=True)
        right = self.right(chained)
        for row in chained.git("ls-tree", "-r", "HEAD", "registry", "schemas").splitlines():
            fields, path = row.split("\t")
            blob = fields.split()[2]
            if path not in needed:
                (chained.path / ".git/objects" / blob[:2] / blob[2:]).unlink(missing_ok=True)
        assert chained.run("checkpoint", "create", "--no-index").returncode == 3
        done = chained.run("checkpoint", "create")
        assert done.returncode == 0, done.stderr
        assert self.predicate(chained)["manifest"] == right
        verified = chained.run("checkpoint", "verify", "HEAD")
        assert verified.returncode == 1
        assert "is not in this repository" in verified.stdout, "a verification reads everything"

    def test_without_an_index_everything_is_read_and_nothing_is_left(self, chained: Checkout) -> None:
        (chained.path / INDEX).unlink()
        done = chained.run("checkpoint", "create", "--no-index")
        assert done.returncode == 0
        assert self.predicate(chained)["manifest"] == self.right(chained)
        assert not (chained.path / INDEX).exists()

    def test_a_verification_opens_no_index(self, chained: Checkout) -> None:
        assert chained.run("checkpoint", "create").returncode == 0
        (chained.path / INDEX).unlink()
        assert chained.run("checkpoint", "verify", "HEAD").returncode == 0
        assert chained.run("checkpoint", "manifest").returncode == 0
        assert not (chained.path / INDEX).exists()

    def test_a_poisoned_index_changes_no_checkpoint(self, chained: Checkout) -> None:
        for lie in ("x'66'", "x''", "'text'", "(SELECT entries FROM merkle LIMIT 1)", "7"):
            with sqlite3.connect(chained.path / INDEX) as database:
                database.execute(f"UPDATE merkle SET entries = {lie}")
            done = chained.run("checkpoint", "create")
            assert (done.returncode, done.stderr) == (0, "")
            assert self.predicate(chained)["manifest"] == self.right(chained)

    @pytest.mark.parametrize("data", [b"", b"rubbish" * 1000, b"SQLite format 3\0" + bytes(5000)])
    def test_a_damaged_index_is_made_anew(self, chained: Checkout, data: bytes) -> None:
        (chained.path / INDEX).write_bytes(data)
        done = chained.run("checkpoint", "create")
        assert done.returncode == 0
        assert done.stderr.count("\n") <= 1
        assert self.predicate(chained)["manifest"] == self.right(chained)
        with sqlite3.connect(chained.path / INDEX) as database:
            assert database.execute("SELECT count(*) FROM merkle").fetchone() > (0,)

    def test_a_table_that_is_gone_is_damage(self, chained: Checkout) -> None:
        with sqlite3.connect(chained.path / INDEX) as database:
            database.execute("DROP TABLE merkle")
        done = chained.run("checkpoint", "create")
        assert done.returncode == 0
        assert "damaged" in done.stderr
        assert self.predicate(chained)["manifest"] == self.right(chained)

    def test_an_index_that_cannot_be_written_is_no_hindrance(self, chained: Checkout) -> None:
        (chained.path / INDEX).unlink()
        (chained.path / ".git/nodespec").chmod(0o555)
        try:
            command = [*as_mere_owner(), NODESPEC, "checkpoint", "create", "-o", "new.json"]
            environment = {**os.environ, **chained.environment}
            done = subprocess.run(command, cwd=chained.path, env=environment, capture_output=True, text=True)
        finally:
            (chained.path / ".git/nodespec").chmod(0o755)
        assert done.returncode == 0, done.stderr
        assert "working without a file" in done.stderr
        assert payload(chained, "new.json")["predicate"]["manifest"] == self.right(chained)

    def test_a_creator_that_is_killed_at_any_statement_does_no_harm(self, chained: Checkout) -> None:
        killed = 0
        for fresh in (True, False):
            for moment in (1, 2, 3, 4, 6, 9, 14, 30):
                if fresh:
                    (chained.path / INDEX).unlink(missing_ok=True)
                command = [sys.executable, "-c", KILLED, str(moment), "checkpoint", "create", "-o", "-"]
                environment = {**os.environ, **chained.environment}
                done = subprocess.run(command, cwd=chained.path, env=environment, capture_output=True)
                killed += done.returncode == -9
                made = chained.run("checkpoint", "create")
                assert (made.returncode, made.stderr) == (0, "")
                assert self.predicate(chained)["manifest"] == self.right(chained)
        assert killed >= 8

    def test_many_creators_at_once_all_sign_the_same(self, chained: Checkout) -> None:
        shutil.rmtree(chained.path / ".git/nodespec")
        environment = {**os.environ, **chained.environment}
        running = [
            subprocess.Popen(
                [NODESPEC, "checkpoint", "create", revision, "-o", f"{number}.json"],
                cwd=chained.path,
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
                stdout=subprocess.DEVNULL,
            )
            for number, revision in enumerate(["HEAD", "HEAD~1"] * 5)
        ]
        for number, process in enumerate(running):
            _, said = process.communicate(timeout=120)
            assert (process.returncode, said) == (0, ""), number
        made = [payload(chained, f"{number}.json")["predicate"]["manifest"] for number in range(len(running))]
        assert made[0] == self.right(chained)
        assert made == made[:2] * 5


class TestTheCompatibilityScheme:
    def test_it_says_what_it_is_at_both_ends(self, example: Checkout) -> None:
        made = example.run("checkpoint", "create", "--scheme", "hmac-sha256", "-o", "mac.json", **HMAC)
        assert made.returncode == 0
        assert "compatibility scheme" in made.stdout
        done = example.run("checkpoint", "verify", "mac.json", "--scheme", "hmac-sha256", **HMAC)
        assert done.returncode == 0
        assert "compatibility scheme" in done.stdout

    def test_it_never_passes_for_a_signature(self, signed: Checkout) -> None:
        assert signed.run("checkpoint", "create", "--scheme", "hmac-sha256", "-o", "mac.json", **HMAC).returncode == 0
        assert signed.run("checkpoint", "verify", "mac.json", **HMAC).returncode == 1
        assert signed.run("checkpoint", "verify", "head.json", "--scheme", "hmac-sha256", **HMAC).returncode == 1

    @pytest.mark.parametrize(
        "key", ["", "short", "0123456789abcdef0123456789abcdef", "a" * 64, "example-registry-hmac-key-do-not-use"]
    )
    def test_it_has_no_default_and_takes_no_weak_or_published_key(self, example: Checkout, key: str) -> None:
        for command in (["create", "-o", "mac.json"], ["verify", ADAPTER_FILE]):
            done = example.run("checkpoint", *command, "--scheme", "hmac-sha256", REGISTRY_HMAC_KEY=key)
            assert done.returncode == 2
            assert "REGISTRY_HMAC_KEY" in done.stderr
            assert not key or key not in done.stderr
        assert not (example.path / "mac.json").exists()

    def test_another_key_does_not_verify(self, example: Checkout) -> None:
        example.run("checkpoint", "create", "--scheme", "hmac-sha256", "-o", "mac.json", **HMAC)
        other = {"REGISTRY_HMAC_KEY": "Z" + HMAC["REGISTRY_HMAC_KEY"][1:]}
        assert example.run("checkpoint", "verify", "mac.json", "--scheme", "hmac-sha256", **other).returncode == 1


class TestPublishedKeys:
    def test_they_sign_an_example_and_every_command_says_so(self, example: Checkout, published: dict[str, str]) -> None:
        made = example.run("checkpoint", "create", **published)
        assert made.returncode == 0, made.stderr
        done = example.run("checkpoint", "verify", "HEAD", **published)
        assert done.returncode == 0
        for said in (made, done, example.run("query"), example.run("validate")):
            assert "example registry; its keys are published" in said.stderr

    def test_they_are_refused_anywhere_else(self, signed: Checkout, published: dict[str, str]) -> None:
        key = ROOT / "tests/keys/keys/main.ml-dsa-44.pub.pem"
        for command in (["create"], ["verify", "head.json", "--key", str(key)]):
            done = signed.run("checkpoint", *command, **published)
            assert done.returncode == 2
            assert "published example key" in done.stderr

    def test_whoever_pinned_the_example_does_not_take_another_registry_for_it(
        self, signed: Checkout, published: dict[str, str]
    ) -> None:
        done = signed.run("checkpoint", "verify", "head.json", **published)
        assert done.returncode == 3
        assert "is pinned" in done.stderr


class TestTheTrustRoot:
    def test_a_pinned_registry_believes_its_checkpoint_role_and_nobody_else(self, signed: Checkout) -> None:
        assert payload(signed)["predicate"]["trust_root_version"] == 1
        assert signed.run("trust", "pin").returncode == 0
        assert signed.run("keys", "new", "other").returncode == 0
        done = signed.run("checkpoint", "create", "--key", "other")
        assert done.returncode == 2
        assert "your key other (ed25519) does not hold the checkpoint role here" in done.stderr
        assert signed.run("checkpoint", "verify", "head.json").returncode == 0

    def test_without_a_pin_the_own_keys_are_believed(self, signed: Checkout, tmp_path: Path) -> None:
        done = signed.run("checkpoint", "verify", "head.json", NODESPEC_HOME=str(tmp_path / "stranger"))
        assert done.returncode == 2
        assert "no public key is trusted" in done.stderr

    def test_with_a_pin_nobody_needs_keys_of_their_own(self, signed: Checkout, tmp_path: Path) -> None:
        stranger = {"NODESPEC_HOME": str(tmp_path / "stranger")}
        assert signed.run("trust", "pin", **stranger).returncode == 0
        done = signed.run("checkpoint", "verify", "head.json", **stranger)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_another_trust_root_than_the_pinned_one_is_not_believed(self, signed: Checkout) -> None:
        assert signed.run("trust", "pin").returncode == 0
        signed.git("rm", "-q", "registry/trust/0001.dsse.json")
        signed.commit("no root")
        refused = signed.run("trust", "init", "--expires", "30d")
        assert refused.returncode == 2
        assert "pinned a trust root of" in refused.stderr
        pins = Path(signed.environment["NODESPEC_HOME"], "pins")
        pins.rename(pins.with_name("kept"))
        assert signed.run("trust", "init", "--expires", "30d").returncode == 0
        pins.with_name("kept").rename(pins)
        done = signed.run("checkpoint", "verify", "head.json")
        assert done.returncode == 3
        assert "is pinned" in done.stderr


class TestKeys:
    def test_private_keys_are_encrypted_and_for_their_owner_alone(self, empty: Checkout, tmp_path: Path) -> None:
        done = empty.run("keys", "new", "release-2026")
        assert done.returncode == 0
        private = sorted((tmp_path / "home" / "keys").glob("*.key.pem"))
        assert [path.name for path in private] == ["release-2026.ed25519.key.pem", "release-2026.ml-dsa-44.key.pem"]
        for path in private:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE((tmp_path / "home" / "keys").stat().st_mode) == 0o700

    def test_a_key_is_never_overwritten(self, empty: Checkout, tmp_path: Path) -> None:
        empty.run("keys", "new")
        before = {path: path.read_bytes() for path in (tmp_path / "home" / "keys").iterdir()}
        done = empty.run("keys", "new")
        assert done.returncode == 2
        assert "never overwritten" in done.stderr
        assert {path: path.read_bytes() for path in (tmp_path / "home" / "keys").iterdir()} == before

    def test_show_tells_the_key_id_which_is_the_digest_of_the_public_key(self, empty: Checkout) -> None:
        empty.run("keys", "new")
        rows = json.loads(empty.run("keys", "show", "--format", "json").stdout)
        for row in rows:
            text = "".join(Path(row["public"]).read_text().splitlines()[1:-1])
            assert row["key_id"] == hashlib.sha256(base64.b64decode(text)).hexdigest()
        assert empty.run("keys", "show", "nobody").returncode == 2
        assert empty.run("keys", "show", "--format", "pem").stdout.count("BEGIN PUBLIC KEY") == 2

    def test_without_a_terminal_and_a_file_no_passphrase_is_guessed(self, empty: Checkout) -> None:
        done = empty.run("keys", "new", NODESPEC_PASSPHRASE_FILE="")
        assert done.returncode == 2
        assert "NODESPEC_PASSPHRASE_FILE" in done.stderr

    def test_a_short_passphrase_is_refused_and_no_secret_is_repeated(self, signed: Checkout, tmp_path: Path) -> None:
        (tmp_path / "weak").write_text("hunter2\n")
        done = signed.run("keys", "new", "second", NODESPEC_PASSPHRASE_FILE=str(tmp_path / "weak"))
        assert done.returncode == 2
        assert "hunter2" not in done.stderr
        wrong = signed.run("checkpoint", "create", NODESPEC_PASSPHRASE_FILE=str(tmp_path / "weak"))
        assert wrong.returncode == 2
        assert "wrong passphrase" in wrong.stderr
        assert "hunter2" not in wrong.stderr

    def test_a_private_key_that_others_can_read_is_not_used(self, signed: Checkout, tmp_path: Path) -> None:
        for path in (tmp_path / "home" / "keys").glob("*.key.pem"):
            path.chmod(0o644)
        done = signed.run("checkpoint", "create")
        assert done.returncode == 2
        assert "chmod 600" in done.stderr
