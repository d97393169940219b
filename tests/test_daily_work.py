"""What people do every day costs what changes, and not what there is: the work is counted, and the clock is not asked.

Each command is run in a signed registry and in one six times as large, right after a commit that changed one node. What
is counted: objects of Git that were read, documents that were parsed, statements of SQL, and signatures that were
verified. What reads everything, by its nature, is counted as well: it reads each thing once.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner

from nodespec import document, signed_roster
from nodespec.cat_file import CatFile
from nodespec.cli import cli
from nodespec.git import GitRepository, _Odb
from nodespec.keys import PublicKey
from tests.lab import People, commit
from tests.simulator import Repository

if TYPE_CHECKING:
    from pathlib import Path

SMALL, LARGE = 40, 240


class Work(NamedTuple):
    """What a command took."""

    objects: int
    documents: int
    statements: int
    signatures: int


DAILY = {
    "validate --at HEAD": Work(50, 6, 20, 14),
    "gate --base HEAD~1 --head HEAD": Work(80, 8, 0, 14),
    "query --at HEAD --signal {signal}": Work(20, 2, 60, 0),
    "show --at HEAD {node}": Work(10, 2, 25, 0),
    "stats --at HEAD": Work(35, 0, 30, 0),
    "graph --at HEAD": Work(4, 0, 30, 0),
    "log {node}": Work(10, 5, 0, 0),
    "diff HEAD~1 HEAD": Work(6, 0, 45, 0),
    "verify {node}": Work(0, 4, 0, 14),
}
"""The most that each command may take, after a commit that changed one node. What prints everything (``graph``) takes
it out of the index: in more rows, and in as many statements."""

GROWING = {
    "gate --base HEAD~1 --head HEAD": Work(80, 6, 0, 14),
    "gate --base HEAD~1 --head HEAD --no-index": Work(85, 6, 0, 26),
    "validate --at HEAD": Work(45, 5, 20, 14),
}
"""The same, after a commit that added a node which others see."""


class Counter:
    """Counts what commands do, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: dict[str, int] = {}
        connect = sqlite3.connect
        for kind, name, what in (
            (CatFile, "read", "objects"),
            (_Odb, "read", "objects"),
            (document, "parse", "documents"),
            (PublicKey, "verify", "signatures"),
        ):
            monkeypatch.setattr(kind, name, self._counted(getattr(kind, name), what))

        def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
            database = connect(*arguments, **options)
            database.set_trace_callback(lambda _statement: self._note("statements"))
            return database

        monkeypatch.setattr(sqlite3, "connect", connected)

    def _counted(self, work: Any, what: str) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._note(what)
            return work(*arguments, **options)

        return counted

    def _note(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def of(self, registry: Path, command: str) -> Work:
        """Run a command that finds nothing wrong; return what it took."""
        self.seen.clear()
        done = CliRunner().invoke(cli, [*command.split(), "--repo", str(registry)])
        assert (done.exit_code, bool(done.output)) == (0, True), done.output
        return Work(*(self.seen.get(what, 0) for what in Work._fields))


class Place(NamedTuple):
    """A signed registry with a work tree, and the people in it."""

    repository: Repository
    people: People
    nodes: tuple[str, ...]

    @classmethod
    def of(cls, nodes: int, folder: Path) -> Place:
        people = People()
        letters = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")  # names that look like no other
        names = [sha256(bytes([number])).hexdigest()[:12].translate(letters) for number in range(nodes)]
        ids = tuple(f"lab.memory.t{number % 8}/{name}" for number, name in enumerate(names))
        for number, identifier in enumerate(ids):
            people.register(
                identifier, by=people.ada, emits=(f"signal_{number}",), hears=(f"signal_{(number + 1) % nodes}",)
            )
        place = cls(Repository.init(folder), people, ids)
        place.commit()
        return place

    def commit(self) -> None:
        parents = self.repository.git("for-each-ref", "--format=%(objectname)", "refs/heads/main").split()
        made = commit(self.repository.path, dict(self.people.files), *parents)
        self.repository.git("reset", "-q", "--hard", made)

    def goes_on(self) -> None:
        """Change one node in what nobody else sees, and commit."""
        self.people.update(self.nodes[3], remark="changed", version="1.1.0")
        self.commit()

    def grows(self) -> None:
        """Add a node that hears what one sends and others hear, and commit."""
        self.people.register("lab.memory.t9/newcomer", by=self.people.ada, emits=("signal_new",), hears=("signal_5",))
        self.commit()


def check_bounds(bounds: dict[str, Work], small: dict[str, Work], large: dict[str, Work]) -> None:
    """See that no command took more than it may, nor more in the large registry than in the small one."""
    for command, most in bounds.items():
        pairs = zip(large[command], small[command], most, strict=True)
        assert all(one <= min(limit, other + 2) for one, other, limit in pairs), (command, small, large)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    monkeypatch.setenv("NODESPEC_HOME", str(tmp_path / "home"))
    return [Place.of(nodes, tmp_path / str(nodes)) for nodes in (SMALL, LARGE)]


def test_a_day_s_work_costs_what_changed_whatever_the_size(
    places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(monkeypatch)
    taken: list[dict[str, Work]] = []
    for place in places:
        for command in ("validate --at HEAD", "query --at HEAD --format ids"):
            counter.of(place.repository.path, command)
        place.goes_on()
        names = {"node": place.nodes[3], "signal": "signal_3"}
        taken.append({command: counter.of(place.repository.path, command.format(**names)) for command in DAILY})
    check_bounds(DAILY, *taken)


def test_a_node_that_comes_costs_those_who_see_it_whatever_the_size(
    places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one's own roster, and in a fresh clone with the one that the registry has signed."""
    counter = Counter(monkeypatch)
    taken: list[dict[str, Work]] = []
    for place in places:
        path = place.repository.path
        counter.of(path, "validate --at HEAD")
        git = GitRepository.open(str(path))
        roster, key = signed_roster.of_commit(git.tree(git.resolve("HEAD"))), place.people.keyring["checkpoint"]
        signers = [(one.public.key_id, one) for one in key]
        registry_id = place.people.registry_id
        git.keep(signed_roster.REF, signed_roster.sign(roster, registry_id, "ab" * 20, datetime.now(UTC), signers))
        place.grows()
        taken.append({command: counter.of(path, command) for command in GROWING})
    check_bounds(GROWING, *taken)


def test_to_verify_everything_each_signature_is_verified_once(
    places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attestation, each record of the owners, and each version of the trust root."""
    counter = Counter(monkeypatch)
    taken = []
    for place in places:
        work = counter.of(place.repository.path, "verify --jobs 1 --quiet --at HEAD")
        signed = [path for path in place.people.files if path.endswith(".dsse.json")]
        taken.append((work, signed))
    for (work, signed), place in zip(taken, places, strict=True):
        assert work.documents <= len(place.nodes) + 2
        assert work.signatures - len(signed) == taken[0][0].signatures - len(taken[0][1]), "by several for the root"
        assert work.signatures <= len(signed) + 8
