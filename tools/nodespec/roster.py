"""The roster: a sealed index of which nodes of one commit emit, hear and own what.

Whether any *other* node emits a signal can be answered only after reading every node. The roster keeps that answer for
later commits. This one is believed only by the same user's tool: it ends with an authentication tag under the user's
own secret (:mod:`nodespec.verdict_cache`), so neither a copied clone nor a restored cache can hide a node. The registry
may publish another, signed (:mod:`nodespec.signed_roster`). It is derived and disposable; without any, every file is
searched (:mod:`nodespec.mentions`).

The file is UTF-8, one line a thing, each ended by a newline; the tag follows the last::

    nodespec-roster/v1
    NODES TOMBSTONES NAMES  Git's ids of both folders, 40 hex digits or - each; where the names begin, 12 digits
    [PATH, LANE, [[SIGNAL, SENSITIVITY]…], [SIGNAL…], OWNER]          a node: what it emits, what it hears
    [PATH, [SIGNAL…]]                                                 a tombstone: what it leaves dangling
    NAME TAB OFFSET TAB OFFSET…      each signal and owner in order, and where the lines that name it begin, in bytes
    32 bytes                         HMAC-SHA256(secret, "nodespec-roster/v1" 0x00 RULES 0x00 everything before)

RULES is the digest of the code that decided what the nodes say.

>>> one = NodeFacts("registry/nodes/lab/a.yaml", "lab", "a", "candidate", (("rang", "public"),), (), "GLYMPH:00")
>>> kept = Roster.parse(Roster.of("1" * 40, "", [one], {}).dump(b"k" * 32, "rules"), b"k" * 32, "rules")
>>> kept.nodes, kept.naming(["rang"]) == ([one], {}), kept.naming(["fell"])
('1111111111111111111111111111111111111111', True, ([], {}))
>>> Roster.parse(Roster.of("1" * 40, "", [one], {}).dump(b"k" * 32, "rules"), b"x" * 32, "rules") is None
True
"""

from __future__ import annotations

import hmac
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.rules.graph import NodeFacts
from nodespec.spec import LANES, SENSITIVITIES
from nodespec.tree import NODES, TOMBSTONES, is_node_path, is_tombstone_path, node_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nodespec.commit import CommitTree

_FORMAT = b"nodespec-roster/v1"
_TAG_BYTES = 32

_HEAD = re.compile(
    re.escape(_FORMAT) + rb"\n(?P<nodes>[0-9a-f]{40}|-) (?P<tombstones>[0-9a-f]{40}|-) (?P<names>[0-9]{12})\n"
)


@frozen
class Roster:
    """The text of the file, and where its names begin; ``nodes`` and ``tombstones`` are Git's ids of both folders.

    ``word`` says whose word it is, where it is not the user's own tool's.
    """

    nodes: str
    tombstones: str
    text: bytes
    names_at: int
    names_end: int
    word: str = ""

    @classmethod
    def of(cls, nodes: str, tombstones: str, facts: Iterable[NodeFacts], left: Mapping[str, Iterable[str]]) -> Roster:
        """Write a roster of all nodes, and of what tombstones leave dangling, by path."""
        lines = [(_packed(node), _names(node)) for node in facts]
        lines += [(_json([path, sorted(names)]), frozenset(names)) for path, names in sorted(left.items())]
        begin = len(_FORMAT) + 1 + len(_head(nodes, tombstones, 0)) + 1
        where: dict[str, list[int]] = {}
        parts = []
        for line, names in lines:
            for name in names:
                where.setdefault(name, []).append(begin)
            parts.append(line)
            begin += len(line) + 1
        parts += [f"{name}\t{chr(9).join(map(str, where[name]))}".encode() for name in sorted(where)]
        text = b"\n".join([_FORMAT, _head(nodes, tombstones, begin), *parts, b""])
        return cls(nodes=nodes, tombstones=tombstones, text=text, names_at=begin, names_end=len(text))

    def dump(self, secret: bytes, rules: str) -> bytes:
        """Return the file's bytes."""
        return self.text + _tag(self.text, secret, rules)

    @classmethod
    def parse(cls, data: bytes, secret: bytes, rules: str) -> Roster | None:
        """Return what this user's tool wrote under the same rules; None for anything else."""
        body, tag = memoryview(data)[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not data.startswith(_FORMAT + b"\n") or not hmac.compare_digest(tag, _tag(body, secret, rules)):
            return None
        return cls.of_text(data, len(body))

    @classmethod
    def of_text(cls, data: bytes, end: int, word: str = "") -> Roster:
        """Return the roster that ``data`` holds up to ``end``; raise ``ValueError`` when it does not begin as one."""
        head = _HEAD.match(data, 0, end)
        if head is None or not head.end() <= int(head["names"]) <= end:
            raise ValueError("it does not begin as a roster does")
        nodes, tombstones = (head[name].decode().strip("-") for name in ("nodes", "tombstones"))
        return cls(nodes=nodes, tombstones=tombstones, text=data, names_at=int(head["names"]), names_end=end, word=word)

    @staticmethod
    def begins(data: bytes) -> bool:
        """Say whether a file begins as one of these does, whoever wrote it; or is empty."""
        return not data or data.startswith(_FORMAT.partition(b"/")[0])

    def naming(self, names: Iterable[str]) -> tuple[list[NodeFacts], dict[str, frozenset[str]]]:
        """Return every node that sends or hears one of these signals, or has one of these owners.

        Besides, by path, the tombstones that leave one of the signals dangling, and which signals they leave.
        """
        wanted = sorted(set(names))
        with self._reading():
            begins = sorted({begin for name in wanted for begin in self._begins(name)})
            return _parted(map(self._value, begins))

    def everybody(self) -> tuple[list[NodeFacts], dict[str, frozenset[str]]]:
        """Return every node, and every tombstone that leaves signals dangling, as :meth:`naming` does."""
        with self._reading():
            begin = self.text.index(b"\n", len(_FORMAT) + 1) + 1
            lines = self.text[begin : self.names_at].splitlines()
            return _parted(json.loads(b"[%b]" % b",".join(lines)))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raise ``RegistryError`` where the text, which its writer answers for, is no roster's."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            hint = "whoever signed it has to make it anew: nodespec checkpoint roster --anew"
            raise RegistryError(f"{self.word or 'the roster beside the index'} is malformed", hint=hint) from None

    def differing(self, tree: CommitTree) -> frozenset[str] | None:
        """Return the paths at which a commit differs from the one this is of; None where that cannot be known."""
        paths: set[str] = set()
        try:
            for folder, then in ((NODES, self.nodes), (TOMBSTONES, self.tombstones)):
                top = folder.rstrip("/")
                now, odd = tree.folder(top)
                pairs, defects = tree.changes(top, then, now)
                if odd or defects:
                    return None
                paths.update(entry.path for pair in pairs for entry in pair if entry is not None)
        except RegistryError:  # the earlier folders are not there any more
            return None
        return frozenset(paths)

    def _begins(self, name: str) -> list[int]:
        """Look a name up, by halving what is between two line ends."""
        key, low, high = name.encode() + b"\t", self.names_at, self.names_end
        while low < high:
            start = self.text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = self.text.index(b"\n", start)
            line = self.text[start:end]
            if b"\t" not in line:
                raise ValueError("a name without places")
            if line.startswith(key):
                return [int(word) for word in line[len(key) :].split(b"\t")]
            low, high = (end + 1, high) if line < key else (low, start)
        return []

    def _value(self, begin: int) -> list[Any]:
        value: list[Any] = json.loads(self.text[begin : self.text.index(b"\n", begin)])
        return value


def _parted(values: Iterable[list[Any]]) -> tuple[list[NodeFacts], dict[str, frozenset[str]]]:
    """Return the nodes among these lines, and what the tombstones leave, by path."""
    nodes, left = [], {}
    for value in values:
        if is_node_path(value[0]):
            nodes.append(_unpacked(value))
            continue
        path, names = value
        if not is_tombstone_path(path):
            raise ValueError(path)
        left[path] = frozenset(_texts(names))
    return nodes, left


def _texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts; raise ``ValueError`` or ``TypeError`` for anything else."""
    if type(value) is not list:
        raise TypeError("it is no list")
    "".join(value).encode()
    return tuple(value)


def _head(nodes: str, tombstones: str, begin: int) -> bytes:
    return f"{nodes or '-'} {tombstones or '-'} {begin:012}".encode()


def _packed(node: NodeFacts) -> bytes:
    return _json([node.path, node.lane, node.emits, node.subscribes, node.owner])


def _unpacked(value: list[Any]) -> NodeFacts:
    path, lane, emits, subscribes, owner = value
    node_type, _, name = node_id(path).rpartition("/")
    sent = tuple((signal, label) for signal, label in emits)
    heard = _texts(subscribes)
    _texts([owner, *(signal for signal, _ in sent)])
    if lane not in LANES or not all(label in SENSITIVITIES for _, label in sent):
        raise ValueError(path)
    return NodeFacts(path, node_type, name, lane, sent, heard, owner)


def _names(node: NodeFacts) -> frozenset[str]:
    return frozenset([node.owner, *node.subscribes, *(name for name, _ in node.emits)])


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _tag(body: bytes | memoryview, secret: bytes, rules: str) -> bytes:
    tag = hmac.new(secret, _FORMAT + b"\0" + rules.encode() + b"\0", "sha256")
    tag.update(body)
    return tag.digest()
