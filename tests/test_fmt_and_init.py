"""`fmt` repairs without changing the meaning; `init` makes a registry that passes its own gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import document, edit
from nodespec.tree import NODE_SCHEMA_PATH
from tests.conftest import ADAPTER_FILE, ROOT, Checkout

if TYPE_CHECKING:
    from pathlib import Path

PATH = "registry/nodes/lab/probe.yaml"
MODELINE = "# yaml-language-server: $schema=../../../schemas/nodespec.v1.schema.json\n"


def repaired(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return edit.repair(data, PATH).data.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 2025-10-24 # a day\n", 'a: "2025-10-24" # a day\n'),
        ("a: yes\n\nb: [no, 007]   # kept\n", 'a: "yes"\n\nb: ["no", "007"]   # kept\n'),
        ("on: x\n1: z\n", '"on": x\n"1": z\n'),
        ("a: 1\r\nb: |\r\n  x\r\n", "a: 1\nb: |\n  x\n"),
        ("\ufeffa: 1\n", "a: 1\n"),
        ("\ufeffa: 1:30\r\n", 'a: "1:30"\n'),
        ("é: ünï\nb: on\n", 'é: ünï\nb: "on"\n'),
        ('a: yes\nb: 2025-01-01 say "hi" C:\\\\d\n', 'a: "yes"\nb: "2025-01-01 say \\"hi\\" C:\\\\\\\\d"\n'),
        ("a: .9\nb: 1_000\nc: True\nd: ~\ne: no\n", 'a: .9\nb: 1_000\nc: True\nd: ~\ne: "no"\n'),
    ],
)
def test_what_can_be_repaired_is_and_comments_stay(before: str, after: str) -> None:
    assert repaired(before) == MODELINE + after


@pytest.mark.parametrize("text", ["a:\n", "a: 1\na: 2\n"])
def test_what_only_the_author_can_know_is_left_alone(text: str) -> None:
    assert repaired(text) == MODELINE + text


@pytest.mark.parametrize(
    "data", [b"a: *x\n", b"a: [\r\n", b"a: b\rc: d\n", b"\x89PNG\r\n\x1a\n", "a: 1\r\n".encode("utf-16")]
)
def test_what_cannot_be_read_is_not_touched(data: bytes) -> None:
    assert edit.repair(data, PATH) == edit.Repair(data=data, done=())


def test_a_hundred_ambiguous_words_are_all_quoted_at_once() -> None:
    text = "".join(f"k{number}: yes\n" for number in range(100))
    assert repaired(text) == MODELINE + text.replace("yes", '"yes"')


def test_a_wrong_modeline_is_corrected_and_only_that() -> None:
    assert repaired("# yaml-language-server: $schema=x.json\n# mine\na: 1\n") == MODELINE + "# mine\na: 1\n"
    assert repaired("# mine\n#yaml-language-server: $schema=x.json\na: 1\n") == MODELINE + "# mine\na: 1\n"


def test_the_modeline_leads_to_the_schema() -> None:
    for path in (ROOT / "registry" / "nodes").rglob("*.yaml"):
        target = path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix(edit.MODELINE)
        assert (path.parent / target).resolve() == ROOT / NODE_SCHEMA_PATH


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab:- []{}\"'#&*!|>\n\r~0123456789yesno.\ufeff,%"), max_size=60))
def test_repairing_never_changes_a_meaning_and_twice_is_once(text: str) -> None:
    data = text.encode()
    once = edit.repair(data, PATH)
    assert edit.repair(once.data, PATH).data == once.data
    before, after = document.parse(data), document.parse(once.data)
    if not before.problems:
        assert after.value == before.value
        assert not after.problems


def test_fmt_repairs_the_files_of_a_checkout(example: Checkout) -> None:
    clean = example.files()
    example.replace(ADAPTER_FILE, 'created_at: "2025-06-11"', "created_at: 2025-06-11")
    text = example.read(ADAPTER_FILE).split("\n", 1)[1]
    example.write(ADAPTER_FILE, "\ufeff" + text.replace("\n", "\r\n"))
    (example.path / ADAPTER_FILE).chmod(0o640)
    broken = example.files()
    check = example.run("fmt", "--check")
    assert check.returncode == 1
    assert "would have removed the byte-order mark" in check.stdout
    assert example.files() == broken
    done = example.run("fmt")
    assert done.returncode == 0
    assert "quoted 2025-06-11 on line" in done.stdout
    assert example.files() == clean
    assert (example.path / ADAPTER_FILE).stat().st_mode & 0o777 == 0o640
    assert example.run("fmt", "--check").returncode == 0


def test_fmt_of_one_path_touches_no_other(example: Checkout) -> None:
    example.write("registry/nodes/lab/a.yaml", "a: yes\n")
    example.write("registry/nodes/lab/b.yaml", "a: yes\n")
    assert example.run("fmt", "registry/nodes/lab/a.yaml").returncode == 0
    assert example.read("registry/nodes/lab/b.yaml") == "a: yes\n"
    assert example.run("fmt", "nothing.yaml").returncode == 2
    assert example.run("fmt", "schemas").returncode == 4


def test_fmt_repairs_a_draft_that_stands_outside_of_the_registry(example: Checkout, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_bytes(b"created_at: 2025-10-24\r\n")
    done = example.run("fmt", str(draft))
    assert (done.returncode, draft.read_bytes()) == (0, b'created_at: "2025-10-24"\n'), done.stderr


def test_fmt_repairs_a_draft_beside_the_registry_once_and_where_its_link_leads(example: Checkout) -> None:
    example.write("drafts/a.yaml", "a: 2025-10-24\n")
    (example.path / "drafts/link.yaml").symlink_to("a.yaml")
    done = example.run("fmt", "drafts/a.yaml", "drafts/link.yaml", "./drafts/a.yaml", "schemas")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 file changed"), done.stderr
    assert "schemas: left alone, because there is no spec in it" in done.stderr
    assert example.read("drafts/a.yaml") == 'a: "2025-10-24"\n'
    assert (example.path / "drafts/link.yaml").is_symlink()
    example.write("registry/nodes/lab/a.yaml", "a: yes\n")
    (example.path / "link").symlink_to("registry/nodes/lab")
    assert example.run("fmt", "link").returncode == 0
    assert (
        example.read("registry/nodes/lab/a.yaml")
        == '# yaml-language-server: $schema=../../../schemas/nodespec.v1.schema.json\na: "yes"\n'
    )


def test_fmt_says_what_it_cannot_read_and_ends_with_1(example: Checkout) -> None:
    path = "registry/nodes/matriz/kernel/pulse_v1.yaml"
    (example.path / path).write_bytes(b"a: [\n")
    done = example.run("fmt", path)
    assert (done.returncode, done.stdout) == (1, "0 of 1 file changed\n")
    assert f"{path}: left alone, because it cannot be read; nodespec validate {path} says why" in done.stderr


def test_a_new_registry_passes_its_own_gate(empty: Checkout) -> None:
    made = empty.run("init", "acme")
    assert made.returncode == 0
    assert "made key main" in made.stderr
    inside = Checkout(empty.path / "acme", empty.environment)
    done = inside.run("validate")
    assert done.returncode == 0
    assert "P provenance" in next(line for line in done.stdout.splitlines() if line.startswith("judged:"))
    assert inside.run("fmt", "--check").returncode == 0
    inside.commit("first")
    assert inside.run("validate", "--at", "HEAD").returncode == 0
    assert inside.run("checkpoint", "create").returncode == 0
    assert inside.run("checkpoint", "verify", "HEAD").returncode == 0


def test_a_registry_without_a_trust_root_passes_once_it_has_one(empty: Checkout) -> None:
    made = empty.run("init", "acme", "--no-trust")
    assert made.returncode == 0
    assert "nodespec trust init" in made.stdout
    inside = Checkout(empty.path / "acme", empty.environment)
    done = inside.run("validate")
    assert done.returncode == 1
    assert "error[P001] trust-root-missing" in done.stdout
    assert inside.run("keys", "new").returncode == 0
    assert inside.run("trust", "init").returncode == 0
    assert inside.run("validate").returncode == 0


def test_init_signs_with_the_key_that_is_there(empty: Checkout) -> None:
    assert empty.run("keys", "new").returncode == 0
    keys = sorted(path.name for path in (empty.path.parent / "home" / "keys").iterdir())
    made = empty.run("init", "acme")
    assert made.returncode == 0
    assert "made key" not in made.stderr
    assert sorted(path.name for path in (empty.path.parent / "home" / "keys").iterdir()) == keys


def test_init_never_overwrites(example: Checkout) -> None:
    before = example.files()
    done = example.run("init", ".")
    assert done.returncode == 2
    assert "never overwritten" in done.stderr
    assert example.files() == before


def test_init_asks_for_an_id_where_the_folder_gives_none(empty: Checkout) -> None:
    done = empty.run("init", "***")
    assert done.returncode == 2
    assert "--id" in done.stderr
    assert not (empty.path / "***").exists()
    assert empty.run("init", "***", "--id", "acme.memory").returncode == 0


def test_init_in_an_existing_repository_leaves_it_be(empty: Checkout, tmp_path: Path) -> None:
    empty.git("init", "-q")
    empty.write(".gitattributes", "* text=auto\n")
    head = empty.commit("mine")
    assert empty.run("init", ".").returncode == 0
    assert empty.read(".gitattributes") == "* text=auto\n"
    assert empty.git("rev-parse", "HEAD") == head
