"""Family C, continued: what may change in a node from one version to the next, and how much in one change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec import capability
from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.rule import Rule, declare, rule
from nodespec.spec import LANES, SEMVER, semver_order
from nodespec.tree import EXECUTABLE, NODES, OWNERS, REGULAR, SETTINGS_PATH, TOMBSTONES, node_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import KeyPath
    from nodespec.rules.change import Change
    from nodespec.spec import NodeSpec

_VERSION: KeyPath = ("metadata", "version")
_LANE: KeyPath = ("identity", "lane")


@rule(
    "C012",
    "unsealed-protected-file",
    why=(
        "Some files decide how everybody is judged: settings, policies, schemas, waivers, and whatever runs the gate. "
        "A change that could bring its own judge along would always pass."
    ),
    fix="Let the maintainers sign the change: nodespec seal",
    gate="security",
)
def unsealed_protected_file(change: Change) -> Iterator[Hit]:
    """What is protected changes together with a new seal that covers it."""
    before, now = change.base.seal, change.head.seal
    renewed = now is not None and (before is None or now.digest != before.digest)
    sealed = dict(now.files) if now is not None and renewed else {}
    for path in change.protected:
        entry = change.head.tree.entry(path)
        if entry is not None and entry.mode not in (REGULAR, EXECUTABLE):
            message = "this place is protected, and what stands here now is no file that could be sealed"
            yield Hit(message=message, path=path, fix=f"Put a regular file here, and seal it: {_SEAL}")
        elif not renewed or (entry is not None and path not in sealed):
            what = "is new" if change.base.tree.entry(path) is None else "is gone" if entry is None else "changes"
            why = "the seal is the base's" if now is not None and not renewed else "no seal covers it"
            yield Hit(message=f"this protected file {what}, and {why}", path=path)


_SEAL = "nodespec seal"


@rule(
    "C013",
    "version-not-raised",
    why=(
        "One version is one text: whoever relies on 1.4.0 must get the bytes that they looked at, and can see by the "
        "number alone that there is something newer."
    ),
    fix="Raise metadata.version (SemVer 2.0.0): the patch for a correction, the minor for an addition.",
)
def version_not_raised(change: Change) -> Iterator[Hit]:
    """A node whose text changes has a higher version."""
    for path, before, now in change.kept:
        if change.is_same_text(path) or semver_order(now.version) > semver_order(before.version):
            continue
        if now.version == before.version:
            message = f"the file changes, and metadata.version is still {now.version}"
        else:
            message = f"metadata.version goes from {before.version} to {now.version}, which is not higher"
        yield Hit(message=message, path=path, at=_VERSION)


@rule(
    "C014",
    "breaking-change",
    why=(
        "Others wire themselves to a node's signals, ports and capabilities, and are told by the major version alone "
        "that something they use is gone. Before 1.0.0 the minor version says it, as is usual."
    ),
    fix="Raise the major version (before 1.0.0: the minor), or keep what others may rely on.",
)
def breaking_change(change: Change) -> Iterator[Hit]:
    """Taking something away is a major step."""
    for path, before, now in change.kept:
        broken = list(_broken(before, now))
        if broken and not _is_major_step(before.version, now.version):
            more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
            message = f"{before.version} to {now.version} is no major step, and it {', '.join(broken[:3])}{more}"
            yield Hit(message=message, path=path, at=_VERSION)


def _broken(before: NodeSpec, now: NodeSpec) -> Iterator[str]:
    """Say what somebody may have relied on, and cannot any more."""
    emitted, heard = ({item.name for item in node.emits} for node in (before, now))
    yield from (f"no longer emits {quoted(name)}" for name in sorted(emitted - heard))
    waited, waits = ({item.signal for item in node.subscribes} for node in (before, now))
    yield from (f"no longer hears {quoted(name)}" for name in sorted(waited - waits))
    yield from (f"has no input {quoted(name)}" for name in before.inputs if name not in now.inputs)
    yield from (f"has no output {quoted(name)}" for name in before.outputs if name not in now.outputs)
    denied = [no for no in now.deny if not any(capability.covers(old, no) for old in before.deny)]
    for allowed in before.allow:
        kept = any(capability.covers(new, allowed) for new in now.allow)
        if not kept or any(capability.covers(no, allowed) or capability.covers(allowed, no) for no in denied):
            yield f"narrows {quoted(allowed)}"
    if now.tier > before.tier:
        yield f"raises the tier from {before.tier} to {now.tier}"


def _is_major_step(before: str, now: str) -> bool:
    """Say whether a version may break with the one before; pre-releases of X.0.0 promise nothing yet.

    >>> _is_major_step("1.9.0", "2.0.0"), _is_major_step("1.9.0", "1.10.0"), _is_major_step("0.3.1", "0.4.0")
    (True, False, True)
    >>> _is_major_step("2.0.0-rc.1", "2.0.0"), _is_major_step("0.3.1", "0.3.2")
    (True, False)
    """
    one, other = SEMVER.match(before), SEMVER.match(now)
    if one is None or other is None:
        return True  # that it is no version is for others to say
    (major, minor, patch), (next_major, next_minor, _) = (tuple(map(int, item.groups()[:3])) for item in (one, other))
    if one[4] is not None and minor == patch == 0 and next_major == major:
        return True
    return next_major > major or (major == next_major == 0 and next_minor > minor)


@rule(
    "C015",
    "immutable-field",
    why="A node's type, name and day of birth identify it over all of its versions; another node is another file.",
    fix="Restore the value; for another node, register a new one.",
)
def immutable_field(change: Change) -> Iterator[Hit]:
    """What identifies a node never changes."""
    for path, before, now in change.kept:
        fields: tuple[tuple[KeyPath, str, str], ...] = (
            (("node_type",), before.node_type, now.node_type),
            (("metadata", "name"), before.name, now.name),
            (("metadata", "created_at"), before.created_at, now.created_at),
        )
        for at, was, became in fields:
            if was != became:
                yield Hit(
                    message=f"{at[-1]} was {quoted(was)} and is {quoted(became)}; it never changes", path=path, at=at
                )


@rule(
    "C016",
    "lane-skipped",
    why=(
        "Each lane asks for more evidence than the one below: metrics to leave candidate, an attestation in core. "
        "Whoever could skip one would be trusted with users before anybody saw it run."
    ),
    fix="Take one step at a time: candidate, core, lukhas, products. A new node begins as a candidate.",
)
def lane_skipped(change: Change) -> Iterator[Hit]:
    """A node enters as a candidate, and is promoted lane by lane."""
    for path, before, now in change.nodes:
        rank = LANES.index(now.lane)
        if before is None and rank > 0:
            message = f"a new node begins in lane {LANES[0]}; this one is in {now.lane}"
            yield Hit(message=message, path=path, at=_LANE)
        elif before is not None and rank > LANES.index(before.lane) + 1:
            following = LANES[LANES.index(before.lane) + 1]
            message = f"the lane goes from {before.lane} to {now.lane}; the next one is {following}"
            yield Hit(message=message, path=path, at=_LANE)


@rule(
    "C017",
    "demotion-without-reason",
    why="Others built on the lane that the node was in; they must learn why it is trusted less now.",
    fix="Say why in identity.lane_reason.",
)
def demotion_without_reason(change: Change) -> Iterator[Hit]:
    """A node that goes down a lane says why."""
    for path, before, now in change.kept:
        down = LANES.index(now.lane) < LANES.index(before.lane)
        if down and (not now.lane_reason.strip() or now.lane_reason == before.lane_reason):
            what = "is the one of an earlier change" if now.lane_reason.strip() else "is missing"
            message = f"the lane goes down from {before.lane} to {now.lane}, and identity.lane_reason {what}"
            yield Hit(message=message, path=path, at=_LANE)


@rule(
    "C018",
    "change-quota",
    why="A change that nobody can read is approved unread. The quota also bounds what a flood can cost.",
    fix="Split the change; or let the maintainers raise quotas.nodes_per_pull_request first.",
)
def change_quota(change: Change) -> Iterator[Hit]:
    """One change touches no more nodes than the registry allows, nor more owners than that."""
    limit = change.head.settings.quotas.nodes_per_change
    nodes = {node_id(path) for path in change.paths if path.startswith((NODES, TOMBSTONES))}
    owners = {path.split("/")[2] for path in change.paths if path.startswith(OWNERS)}
    for touched, what in ((nodes, "nodes"), (owners, "owners")):
        if limit is not None and len(touched) > limit:
            message = f"this change adds, changes or removes {len(touched):,} {what}; one may touch {limit:,}"
            yield Hit(message=message, path=SETTINGS_PATH, at=("quotas", "nodes_per_pull_request"))


MERGE_CONFLICT = declare(
    Rule(
        code="C019",
        slug="merge-conflict",
        severity="error",
        why=(
            "What is judged is what merging would give. Where both sides changed a file, or one took away what the "
            "other changed, nobody knows what that is; and what a signature covers is not put together from two texts."
        ),
        fix="Fetch the newest base, rebase onto it, and sign anew what you changed of a node: nodespec update FILE",
        unwaivable="nothing has been judged yet",
    )
)
