"""The contract's verdict, and why, in words an author can act on.

A contract is a JSON Schema (draft 2020-12) read from the tree that is judged. ``jsonschema-rs`` gives the
verdict, because it is fast; ``jsonschema`` explains a refusal, because it knows where it looked. The two
must agree: a refusal that the second cannot explain is a :class:`RegistryError`, never a pass.

A contract that could reach outside itself (a ``$ref`` to anything but ``#…``) is refused, so that
judging a spec never opens a connection. Patterns are ECMA-262's: ``$`` is the end of the text and
nothing else, where Python's ``re`` would let a final newline through.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodespec.encoding import quoted, strict_json
from nodespec.errors import RegistryError
from nodespec.violation import ecma, explain, without_echoes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import Hit

DRAFT = "https://json-schema.org/draft/2020-12/schema"

MAX_CONTRACT_BYTES = 1024 * 1024
"""Twenty times the size of the NodeSpec v1 schema."""


class Contract:
    """A compiled schema. Building one costs milliseconds; asking it costs microseconds."""

    def __init__(self, data: bytes) -> None:
        """Compile ``data``; raise ``ValueError`` with the reason when it cannot serve as a contract."""
        import jsonschema_rs

        if len(data) > MAX_CONTRACT_BYTES:
            raise ValueError(f"it has {len(data):,} bytes; the limit is {MAX_CONTRACT_BYTES:,}")
        self.data = data
        self.schema = strict_json(data)
        if not isinstance(self.schema, dict) or self.schema.get("$schema") != DRAFT:
            raise ValueError(f'expected a JSON object with "$schema": "{DRAFT}"')
        for reference in _references(self.schema):
            if not reference.startswith("#"):
                raise ValueError(f"it refers outside itself, to {quoted(reference)}; only #… is allowed")
        try:
            self._verdict = jsonschema_rs.Draft202012Validator(self.schema, offline=True)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise ValueError(f"it is not a valid JSON Schema: {str(error).partition(chr(10))[0]}") from None

    def accepts(self, value: Any) -> bool:
        """Say whether ``value`` (as :func:`nodespec.document.parse` gives it) fulfils the contract."""
        return self._verdict.is_valid(value)

    def violations(self, value: Any) -> list[Hit]:
        """Return every violation as a hit with the code of its rule; empty when the contract is fulfilled."""
        if self.accepts(value):
            return []
        hits = [hit for error in self._explainer.iter_errors(value) for hit in explain(error)]
        if not hits:
            hint = "please report it with the file; until then the file is not accepted"
            raise RegistryError("the two schema validators disagree", hint=hint)
        return without_echoes(hits)

    @cached_property
    def _explainer(self) -> Any:
        import referencing
        from jsonschema import Draft202012Validator, validators

        extend: Any = validators.extend
        kind = extend(Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties})
        return kind(self.schema, registry=referencing.Registry())


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


# ECMA-262 patterns on Python's engine.


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not ecma(pattern).search(instance):
        yield ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if ecma(pattern).search(key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


# The contracts that this version of the tool was built with.


def builtin_bytes(path: str) -> bytes:
    """Return the tool's own copy of ``schemas/…``: from the installed package, or the checkout it runs in."""
    package = Path(__file__).parent
    name = path.rpartition("/")[2]
    installed = package / "contracts" / name
    return (installed if installed.exists() else package.parents[1] / path).read_bytes()


@lru_cache(maxsize=8)
def builtin(path: str) -> Contract:
    """Return the tool's own contract, compiled once."""
    return Contract(builtin_bytes(path))
