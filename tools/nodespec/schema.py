"""The contract's verdict, and why, in words an author can act on.

A contract is a JSON Schema (draft 2020-12) read from the tree that is judged. ``jsonschema-rs`` gives the
verdict, because it is fast; ``jsonschema`` explains a refusal, because it knows where it looked. The two
must agree: what the first refuses stays refused even where the second could not say why.

A contract that could reach outside itself (a ``$ref`` to anything but ``#…``) is refused, so that
judging a spec never opens a connection. Patterns are asked of the same engine on both sides
(:mod:`nodespec.pattern`), and no more than twenty violations of a document are told.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from nodespec import builtin as own
from nodespec.encoding import quoted, strict_json
from nodespec.finding import Hit
from nodespec.pattern import matches
from nodespec.text import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAFT = "https://json-schema.org/draft/2020-12/schema"

MAX_CONTRACT_BYTES = 1024 * 1024
"""Twenty times the size of the NodeSpec v1 schema."""


class Contract:
    """A compiled schema. Building one costs milliseconds; asking it costs microseconds."""

    def __init__(self, data: bytes, *, own: bool = False) -> None:
        """Compile ``data``; raise ``ValueError`` with the reason when it cannot serve as a contract.

        The tool's ``own`` contracts can, and are compiled when they are first asked.
        """
        self.data = data
        if not own:
            self._check()

    @cached_property
    def schema(self) -> Any:
        """The contract as a value."""
        return strict_json(self.data)

    @cached_property
    def _verdict(self) -> Any:
        import jsonschema_rs

        try:
            return jsonschema_rs.Draft202012Validator(self.schema, offline=True)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise ValueError(f"it is not a valid JSON Schema: {str(error).partition(chr(10))[0]}") from None

    def _check(self) -> None:
        data = self.data
        if len(data) > MAX_CONTRACT_BYTES:
            raise ValueError(f"it has {len(data):,} bytes; the limit is {MAX_CONTRACT_BYTES:,}")
        if not isinstance(self.schema, dict) or self.schema.get("$schema") != DRAFT:
            raise ValueError(f'expected a JSON object with "$schema": "{DRAFT}"')
        try:
            outside = next((text for text in _references(self.schema) if not text.startswith("#")), None)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if outside is not None:
            raise ValueError(f"it refers outside itself, to {quoted(outside)}; only #… is allowed")
        _ = self._verdict

    def accepts(self, value: Any) -> bool:
        """Say whether ``value`` (as :func:`nodespec.document.parse` gives it) fulfils the contract."""
        accepted: bool = self._verdict.is_valid(value)
        return accepted

    def violations(self, value: Any) -> list[Hit]:
        """Return every violation as a hit with the code of its rule; empty when the contract is fulfilled."""
        if self.accepts(value):
            return []
        from nodespec.violation import explain, without_echoes

        errors = islice(self._explainer.iter_errors(value), MAX_PROBLEMS)
        hits = without_echoes([hit for error in errors for hit in explain(error)])
        if not hits:  # the two validators disagree: what one refuses is refused
            message = "the schema refuses the document, and the validator that explains cannot say where"
            hits = [Hit(code="S009", message=message, at=(), fix="Please report it to nodespec with the file.")]
        return hits[:MAX_PROBLEMS]

    @cached_property
    def _explainer(self) -> Any:
        import referencing
        from jsonschema import Draft202012Validator, validators

        extend: Any = validators.extend
        kind = extend(
            Draft202012Validator,
            {
                "pattern": _pattern,
                "patternProperties": _pattern_properties,
                "additionalProperties": _additional_properties,
                "uniqueItems": _unique_items,
            },
        )
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


# Keywords that Python's validator would judge by Python's own rules: patterns, and what equals what.


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield _error("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if matches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    patterns = schema.get("patternProperties", {})
    extra = [
        key
        for key in instance
        if key not in schema.get("properties", {}) and not any(matches(pattern, key) for pattern in patterns)
    ]
    if allowed is False:
        if extra:
            yield _error("unknown keys", validator_value=extra)
        return
    for key in extra:
        yield from validator.descend(instance[key], allowed, path=key)


def _unique_items(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    from nodespec.violation import first_repeated

    if wanted and isinstance(instance, list) and first_repeated(instance) is not None:
        yield _error("repeated")


def _error(message: str, **fields: Any) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message, **fields)


# The contracts that this version of the tool was built with.


@lru_cache(maxsize=8)
def builtin(path: str) -> Contract:
    """Return the tool's own contract, compiled once."""
    return Contract(own.contract(path), own=True)
