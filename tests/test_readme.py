"""Every command of the README and every line of its tour is run, in a copy of this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from nodespec.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COPIED = (
    *("registry", "schemas", ".github", ".gitattributes"),
    *("tests/keys", "tests/fixtures/draft.yaml", "README.md", "Makefile", "docs"),
)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Return each command of the tour with the output shown below it (empty when none is)."""
    found = []
    for part in re.split(r"^\$ ", "".join(blocks("console")), flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        found.append((command, output))
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh repository with this registry as its only commit."""
    folder = tmp_path_factory.mktemp("tour")
    for name in COPIED:
        source = ROOT / name
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "The example registry")
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Tour", "-c", "user.email=tour@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True)


def test_the_tour_shows_what_really_happens(checkout: Path) -> None:
    commands = steps()
    assert len(commands) >= 15
    who = {f"GIT_{role}_{part}": "tour@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("NODESPEC_HOME", None)
    for command, expected in commands:
        if command.startswith("export "):
            words = command.removeprefix("export ").replace('"', "").replace("$PWD", str(checkout)).split()
            environment |= dict(word.split("=", 1) for word in words)
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, timeout=120
        )
        intended = 1 if "error[" in expected else 4 if command == "nodespec diff HEAD" else 0
        assert done.returncode == intended, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout or command.startswith(("git ", "echo ", "sed ")), f"{command} printed nothing"
        if expected.strip():
            assert done.stdout.strip() == expected.strip(), command


def test_every_step_of_the_operations_guide_works(tmp_path: Path) -> None:
    guide = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Operations")[2]
    commands = re.findall(r"^\$ (.*)$", guide, re.MULTILINE)
    assert len(commands) > 50
    shutil.copy(ROOT / "tests/fixtures/draft.yaml", tmp_path)
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    who = {f"GIT_{role}_{part}": "guide@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **who, "PATH": path, "NODESPEC_PASSPHRASE_FILE": str(tmp_path / "passphrase")}
    environment.pop("NODESPEC_HOME", None)
    folder = tmp_path
    for command in commands:
        if command.startswith("cd "):
            folder /= command.removeprefix("cd ")
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
        intended = int(match[1]) if (match := re.search(r"# ends with (\d)", command)) else 0
        assert done.returncode == intended, f"{command}\n{done.stdout}{done.stderr}"


def test_the_python_examples_run(checkout: Path) -> None:
    example = "\n".join(blocks("python"))
    git(checkout, "commit", "-q", "--allow-empty", "-m", "One more")
    done = subprocess.run([sys.executable, "-c", example], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "matriz.memory.adapter/memoria_adapter_v1 5 ['memory_stored', 'memory_recalled']" in done.stdout


def test_the_two_commands_are_jobs_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\bmake ([a-z-]+)", README)) - {"lists"}
    assert {"registry-up", "registry-test"} <= wanted
    for job in wanted & {"registry-up", "registry-test"}:
        assert re.search(rf"^{job}:.*## ", makefile, re.MULTILINE)


def test_a_bare_make_lists_every_job() -> None:
    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for job in ("registry-up", "registry-test", "nodespec-validate", "lint", "bench", "docs"):
        assert f"make {job}" in listed


def test_the_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_ci_calls_the_readme_test_command_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [line for line in script.splitlines() if "make" in line] == ["exec make registry-test"]


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_every_command_that_a_page_names_exists_with_its_options() -> None:
    named = {
        match
        for page in PAGES
        for match in re.findall(
            r"nodespec ((?:[a-z]+ ?){1,2}(?:[^`\n|]*?))(?:`|$|  )", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert len(named) > 30
    seen = 0
    for words in (text.split() for text in sorted(named)):
        command: click.Command | None = cli
        path = click.Context(cli)
        while isinstance(command, click.Group) and words and words[0] in command.list_commands(path):
            command = command.get_command(path, words.pop(0))
        if command is cli or command is None:
            continue  # prose about nodespec itself
        seen += 1
        known = {option for param in command.params for option in param.opts} | {"--help"}
        given = {word.split("=")[0] for word in words if word.startswith("-") and len(word) > 1}
        assert given <= known, f"nodespec {command.name} {words}"
    assert seen > 20


FENCED = re.MULTILINE | re.DOTALL


def commands(group: click.Group, path: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command, however deep, with the context that its help is printed in."""
    for name in group.list_commands(path):
        command = group.get_command(path, name)
        assert command is not None
        here = click.Context(command, info_name=name, parent=path)
        yield command, here
        if isinstance(command, click.Group):
            yield from commands(command, here)


def test_every_page_of_help_is_laid_out_as_it_is_written() -> None:
    pages = {here.command_path: command.get_help(here) for command, here in commands(cli, click.Context(cli))}
    assert len(pages) > 40
    for name, page in pages.items():
        assert not {"\\", "\b"} & set(page), name
        assert page.splitlines()[2].strip(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_wrapped_at_120_columns(page: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=FENCED)
    long = [line for line in prose.splitlines() if len(line) > 120 and not line.startswith(("|", "- [", "["))]
    assert long == []


def test_every_job_that_a_page_names_is_in_the_makefile() -> None:
    jobs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {job for page in PAGES for job in re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8"))}
    shown = (
        block for page in PAGES for block in re.findall(r"^ *```.*?^ *```", page.read_text(encoding="utf-8"), FENCED)
    )
    named |= {job for block in shown for job in re.findall(r"^ *make ([a-z-]+)", block, re.MULTILINE)}
    assert len(named) >= 5
    assert named <= jobs
