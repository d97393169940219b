"""A society's registry as a real repository: what its members do, and what a thief does, becomes commits.

A :class:`Lab` is a registry with a past: nodes that hear each other, a tombstone, a policy, a seal, a workflow that the
seal protects. A test takes a :meth:`Lab.fork` of it, lets somebody act there, and commits what that changes with
:meth:`Lab.commit`: through ``git fast-import``, so that no file has to be written that a file system would refuse.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nodespec.tree import EXECUTABLE, REGULAR, SETTINGS_PATH, SUBMODULE, SYMLINK
from tests.simulator import Repository, git
from tests.society import YEAR, Node, Society

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.society import Owner

CACHE, INDEX, WEAVER, LOOM, PROBE = (
    "lab.memory/cache_v1",
    "lab.memory/index_v1",
    "lab.dream/weaver_v1",
    "lab.dream/loom_v1",
    "lab.open/probe_v1",
)
POLICY_PATH = "registry/policies/lab.care.cel.yaml"
WORKFLOW = ".github/workflows/gate.yml"

SETTINGS = b"""\
schema_version: registry.v1
registry_id: lab.society
newcomers:
  lanes: [candidate]
  max_tier: 1
  max_nodes: 2
quotas:
  nodes_per_pull_request: 8
  nodes_per_owner: 5
protected:
  - .github/**
"""

POLICY = b"""\
policy: lab.care
description: Whoever stores what others said is careful with it.
match:
  lanes: [candidate, core, lukhas, products]
rules:
  - id: low-tier
    expr: node.identity.tier <= 6
    message: Lower the tier; nothing here is that important.
    severity: error
    path: /identity/tier
"""


@dataclass(frozen=True, kw_only=True)
class Talker(Node):
    """A node that sends and hears signals."""

    emits: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    policy: str = ""
    born: str = "2026-01-31"
    why: str = ""
    remark: str = ""

    def text(self) -> bytes:
        sent = ", ".join(f"{{name: {name}}}" for name in self.emits)
        heard = ", ".join(f"{{signal: {name}, handler: probe.on_signal}}" for name in self.hears)
        asked = ", ".join(f"{{name: {name}}}" for name in self.inputs)
        text = super().text().decode()
        for old, new in (
            ("emits: []", f"emits: [{sent}]"),
            ("subscribes: []", f"subscribes: [{heard}]"),
            ("inputs: []", f"inputs: [{asked}]"),
            ("2026-01-31", self.born),
            ("  roles: [probe]\n", "  roles: [probe]\n" + f"  lane_reason: {self.why}\n" * bool(self.why)),
        ):
            text = text.replace(old, new, 1)
        text += f"governance_policy_ref: {self.policy}\npolicy_min_scores: {{privacy: 0.9}}\n" * bool(self.policy)
        return (text + f"# {self.remark}\n" * bool(self.remark)).encode()


@dataclass(kw_only=True, repr=False)
class People(Society):
    """A society of talkers, whose trust root is good for another year."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.renew(expires=datetime.now(UTC).replace(microsecond=0) + YEAR)

    def register(self, identifier: str, *, by: Owner, **traits: object) -> str:
        return self.put(Talker(id=identifier, owner=by.handle, **traits), "register")


@dataclass(frozen=True)
class Odd:
    """What stands at a path where it is no plain file: its mode and bytes, or for a submodule its commit's id."""

    mode: int
    data: bytes

    @classmethod
    def link(cls, target: str) -> Odd:
        return cls(SYMLINK, target.encode())

    @classmethod
    def module(cls, commit: str) -> Odd:
        return cls(SUBMODULE, commit.encode())

    @classmethod
    def executable(cls, data: bytes) -> Odd:
        return cls(EXECUTABLE, data)


Changes = dict[str, "bytes | Odd | None"]


@dataclass
class Lab:
    """A registry in a bare repository, and the people in it; ``past`` are the states of its files, the oldest first."""

    repository: Repository
    people: People
    base: str = ""
    past: list[dict[str, bytes]] = field(default_factory=list)

    @classmethod
    def found(cls, path: Path) -> Lab:
        """Make the registry, and a short history of it."""
        lab = cls(Repository.init(path, "--bare"), people := People())
        people.files |= {
            SETTINGS_PATH: SETTINGS,
            POLICY_PATH: POLICY,
            WORKFLOW: b"on: pull_request\n",
            "README.md": b"# The lab\n",
            "docs/guide.md": b"First.\n",
        }
        people.seal()
        people.register(CACHE, by=people.ada, emits=("memory_stored",), inputs=("page",), policy="lab.care")
        people.register(WEAVER, by=people.bob, hears=("memory_stored",), emits=("dream_woven",))
        people.register(LOOM, by=people.bob)
        people.register(PROBE, by=people.newt)
        lab.past.append(dict(people.files))
        lab.base = lab.commit(dict(people.files), message="Found the registry")
        people.update(CACHE, version="1.1.0")
        people.register(INDEX, by=people.ada, hears=("memory_stored",))
        people.rotate(people.bob)
        people.deregister(LOOM)
        people.files[WORKFLOW] = b"on: [pull_request, merge_group]\n"
        people.seal()
        lab.base = lab.commit(lab.changes(people), lab.base, message="Go on")
        lab.past.append(dict(people.files))
        lab.repository.git("update-ref", "refs/heads/main", lab.base)
        return lab

    def fork(self) -> People:
        """The people, in a history of their own from here on."""
        return self.people.fork()  # type: ignore[return-value]

    def changes(self, people: Society) -> Changes:
        """What somebody's history changes in the newest state."""
        old, new = self.past[-1], people.files
        gone: Changes = dict.fromkeys(old.keys() - new.keys())
        return gone | {path: data for path, data in new.items() if old.get(path) != data}

    def commit(self, changes: Mapping[str, bytes | Odd | None], *parents: str, message: str | bytes = "change") -> str:
        """Commit changes (None takes a path out) on top of the first parent; return the commit's id."""
        return commit(self.repository.path, changes, *parents, message=message)

    def act(self, people: Society, *parents: str, message: str | bytes = "change") -> str:
        """Commit what somebody's history changes in the newest state."""
        return self.commit(self.changes(people), *(parents or (self.base,)), message=message)

    def graft(self, tree: str, *parents: str) -> str:
        """Commit a tree by its id, on top of the newest state."""
        given = [word for parent in (parents or (self.base,)) for word in ("-p", parent)]
        return self.repository.git("commit-tree", tree, *given, "-m", "change")

    def tree(self, commit: str, path: str = "") -> list[tuple[str, bytes, str]]:
        """The entries (mode, name, id) of a folder, as raw trees are made of."""
        listed = git(self.repository.path, "ls-tree", "-z", f"{commit}:{path}")
        rows = [row.partition(b"\t") for row in listed.split(b"\0") if row]
        return [(head.split()[0].decode().lstrip("0"), name, head.split()[2].decode()) for head, _, name in rows]

    def with_folder(self, commit: str, path: str, tree: str) -> str:
        """The id of a commit's tree, with another folder at a path."""
        while True:
            above, _, name = path.rpartition("/")
            entries = [one for one in self.tree(commit, above) if one[1] != name.encode()]
            entries.append(("40000", name.encode(), tree))
            entries.sort(key=lambda one: one[1] + b"/" * (one[0] == "40000"))
            tree = self.repository.raw_tree(*entries)
            if not above:
                return tree
            path = above


def commit(
    repository: Path,
    changes: Mapping[str, bytes | Odd | None],
    *parents: str,
    message: str | bytes = "change",
) -> str:
    """Commit changes on top of the first parent, into a repository with or without a work tree; return the id."""
    text = message.encode() if isinstance(message, str) else message
    stream = [b"commit refs/fast/import\nmark :1\ncommitter Ada <ada@example.org> 1773489600 +0000\n"]
    stream.append(b"data %d\n%b\n" % (len(text), text))
    stream += [b"%b %b\n" % (word, parent.encode()) for word, parent in zip(_LINKS, parents, strict=False)]
    gone = [path for path, data in changes.items() if data is None]
    stream += [b"D %b\n" % _quoted(path) for path in gone]
    for path, data in changes.items():
        if isinstance(data, Odd) and data.mode == SUBMODULE:
            stream.append(b"M 160000 %b %b\n" % (data.data, _quoted(path)))
        elif data is not None:
            mode, body = (data.mode, data.data) if isinstance(data, Odd) else (REGULAR, data)
            stream.append(b"M %o inline %b\ndata %d\n%b\n" % (mode, _quoted(path), len(body), body))
    words = ["git", "fast-import", "--quiet", "--force"]
    if not parents:
        stream.insert(0, b"reset refs/fast/import\n\n")
    stream.append(b"get-mark :1\n")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(words, cwd=repository, input=b"".join(stream), capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode().strip()


_LINKS = (b"from", *[b"merge"] * 15)


def _quoted(path: str) -> bytes:
    raw = os.fsencode(path)
    return b'"' + b"".join(b"\\%03o" % byte if byte < 32 or byte in b'"\\' else bytes([byte]) for byte in raw) + b'"'
