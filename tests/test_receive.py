"""What a server is about to receive: the lines of a push, and the steps by which a branch goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodespec.errors import UsageError
from nodespec.git import GitRepository
from nodespec.receive import MOST_STEPS, NOTHING, RefusedError, Update, parse, steps
from tests.lab import commit
from tests.simulator import Repository

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "1" * 40, "2" * 40
MAIN = "refs/heads/main"


def test_a_push_is_a_line_for_each_ref() -> None:
    text = f"{ONE} {TWO} {MAIN}\n{NOTHING} {ONE} refs/tags/v1\n"
    assert parse(text) == [Update(ONE, TWO, MAIN), Update(NOTHING, ONE, "refs/tags/v1")]
    assert parse("") == []


@pytest.mark.parametrize("name", ["a\u2028b", "a\u0085b", "\udce9", "ünfertig"])
def test_a_ref_may_have_any_name_that_git_lets_it_have(name: str) -> None:
    assert parse(f"{ONE} {TWO} refs/heads/{name}\n") == [Update(ONE, TWO, f"refs/heads/{name}")]


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE} {TWO} {MAIN}\r",
        f"{ONE} {TWO} {MAIN} ",
        f"{ONE} {TWO} {MAIN}\0",
        f"{ONE} {TWO}",
        f"{ONE[1:]} {TWO} {MAIN}",
        f"{ONE.upper()[:-1]}G {TWO} {MAIN}",
        f"{ONE} {TWO} main",
        "x",
    ],
)
def test_what_git_never_writes_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="is no line of a push"):
        parse(f"{ONE} {TWO} {MAIN}\n{line}\n")


class Line:
    """A branch of three commits, and what is pushed to it."""

    def __init__(self, path: Path) -> None:
        self.repository = Repository.init(path, "--bare")
        self.git = GitRepository.open(str(path))
        self.ids = [self.commit(0)]
        for number in (1, 2):
            self.ids.append(self.commit(number, self.ids[-1]))

    def commit(self, number: int, *parents: str) -> str:
        return commit(self.repository.path, {"docs/a.md": b"%d\n" % number}, *parents)

    def steps(self, new: str, old: str | None = None) -> list[tuple[str, str]]:
        update = Update(self.ids[2] if old is None else old, new, MAIN)
        return [(before.id, after.id) for before, after in steps(self.git, update)]

    def refusal(self, new: str) -> str:
        with pytest.raises(RefusedError) as caught:
            self.steps(new)
        return f"{caught.value} ({caught.value.hint})"


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "repository")


def test_a_branch_goes_on_commit_by_commit_along_first_parents(line: Line) -> None:
    old = line.ids[2]
    one = line.commit(3, old)
    two = line.commit(4, one)
    side = line.commit(5, line.commit(6, line.ids[0]))
    merge = line.commit(7, two, side)
    assert line.steps(one) == [(old, one)]
    assert line.steps(merge) == [(old, one), (one, two), (two, merge)]
    assert line.steps(line.ids[2], NOTHING) == []


def test_a_branch_never_goes_back_nor_aside_nor_away(line: Line) -> None:
    side = line.commit(5, line.ids[1])
    assert "never deleted" in line.refusal(NOTHING)
    assert "would lose" in line.refusal(line.ids[1])
    assert "would lose" in line.refusal(side)
    assert "would lose" in line.refusal(line.commit(9))
    assert "another parent" in line.refusal(line.commit(8, side, line.ids[2]))


def test_a_push_is_bounded(line: Line) -> None:
    tip = line.ids[2]
    for number in range(MOST_STEPS):
        tip = line.commit(number, tip)
    assert len(line.steps(tip)) == MOST_STEPS
    tip = line.commit(0, tip)
    assert f"more than {MOST_STEPS} commits" in line.refusal(tip)
    assert line.steps(line.commit(1, line.ids[2], tip)), "as one merge, it is one step"
