"""The contract's verdict, and why, in words an author can act on.

A contract is a JSON Schema (draft 2020-12) read from the tree that is judged. ``jsonschema-rs`` gives the
verdict, because it is fast; ``jsonschema`` explains a refusal, because it knows where it looked. The two
must agree: a refusal that the second cannot explain is a :class:`RegistryError`, never a pass.

A contract that could reach outside itself (a ``$ref`` to anything but ``#…``) is refused, so that
judging a spec never opens a connection. Patterns are ECMA-262's: ``$`` is the end of the text and
nothing else, where Python's ``re`` would let a final newline through.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodespec.encoding import quoted, strict_json
from nodespec.errors import RegistryError
from nodespec.finding import Hit, KeyPath, dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DRAFT = "https://json-schema.org/draft/2020-12/schema"

MAX_CONTRACT_BYTES = 1024 * 1024
"""Twenty times the size of the NodeSpec v1 schema."""

_MANY = 12
"""Allowed values that a message lists before it stops."""

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


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
        hits = [hit for error in self._explainer.iter_errors(value) for hit in _explain(error)]
        if not hits:
            hint = "please report it with the file; until then the file is not accepted"
            raise RegistryError("the two schema validators disagree", hint=hint)
        return _without_echoes(hits)

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


@lru_cache(maxsize=256)
def _ecma(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]|\$", _end_of_text, pattern))


def _end_of_text(match: re.Match[str]) -> str:
    return r"\Z" if match.group() == "$" else match.group()


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _ecma(pattern).search(instance):
        yield ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _ecma(pattern).search(key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


# From a validation error to a sentence.


def _explain(error: Any) -> Iterator[Hit]:
    explain = _EXPLANATIONS.get(error.validator, _other)
    yield from explain(error, tuple(error.absolute_path))


def _unknown_keys(error: Any, path: KeyPath) -> Iterator[Hit]:
    schema = error.schema
    allowed = list(schema.get("properties", {}))
    patterns = [_ecma(pattern) for pattern in schema.get("patternProperties", {})]
    for key in error.instance:
        if key in allowed or any(pattern.search(key) for pattern in patterns):
            continue
        near = get_close_matches(key, allowed, n=1, cutoff=0.6)
        missing = [name for name in allowed if name not in error.instance]
        message = f"unknown key {quoted(key)}" + (f"; did you mean {quoted(near[0])}?" if near else "")
        fix = f"Rename it to {near[0]}." if near else f"Remove it. Keys that may be added here: {_listing(missing)}."
        yield Hit(code="S001", message=message, at=(*path, key), on_key=True, fix=fix)


def _missing_key(error: Any, path: KeyPath) -> Iterator[Hit]:
    # jsonschema reports one error for each missing key, and names the key only in its message.
    key = next(
        name for name in error.validator_value if name not in error.instance and error.message.startswith(repr(name))
    )
    where = f" in {dotted(path)}" if path else ""
    schema = error.schema.get("properties", {}).get(key, {})
    hint = f" for example: {key}: {_example(schema)}" if _example(schema) else ""
    message = f"missing key {quoted(key)}{where}" + (f" ({_condition(error)})" if _condition(error) else "")
    yield Hit(code="S002", message=message, at=path, on_key=True, fix=f"Add {key},{hint}." if hint else f"Add {key}.")


def _condition(error: Any) -> str:
    """Say when the key is required, where that depends on another one: the ``$comment`` of a ``then``."""
    return str(error.schema.get("$comment", "")) if "then" in error.absolute_schema_path else ""


def _wrong_type(error: Any, path: KeyPath) -> Iterator[Hit]:
    expected = error.validator_value
    expected = [expected] if isinstance(expected, str) else expected
    words = " or ".join(_TYPES[name] for name in expected)
    fix = ""
    if isinstance(error.instance, str) and {"integer", "number", "boolean"} & set(expected):
        fix = "If it is meant as such, remove the quotes."
    elif "string" in expected and isinstance(error.instance, bool | int | float):
        fix = f'Quote it: "{json.dumps(error.instance)}".'
    elif "array" in expected:
        fix = "Write it as a list, one item a line, each after a dash; an empty list is []."
    yield Hit(code="S003", message=f"{_name(path)} is {_kind(error.instance)}; expected {words}", at=path, fix=fix)


def _not_allowed(error: Any, path: KeyPath) -> Iterator[Hit]:
    allowed = error.validator_value if error.validator == "enum" else [error.validator_value]
    texts = [str(value) for value in allowed]
    near = get_close_matches(str(error.instance), texts, n=1, cutoff=0.5) if len(texts) > 1 else []
    expected = f"one of {_listing(texts)}" if len(texts) > 1 else json.dumps(allowed[0])
    message = f"{_name(path)} is {quoted(error.instance)}; expected {expected}"
    message += f"; did you mean {near[0]}?" if near else ""
    yield Hit(code="S004", message=message, at=path)


def _wrong_form(error: Any, path: KeyPath) -> Iterator[Hit]:
    about = str(error.schema.get("description", "")).partition(". ")[0].rstrip(".")
    example = _example(error.schema)
    expected = f"; expected, for example, {example}" if example else f"; expected the form {error.validator_value}"
    message = f"{_name(path)} is {quoted(error.instance)}, which has not the form it needs{expected}"
    yield Hit(code="S005", message=message, at=path, fix=f"{about}." if about else "")


def _out_of_range(error: Any, path: KeyPath) -> Iterator[Hit]:
    word = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
        "multipleOf": "a multiple of",
    }[error.validator]
    message = f"{_name(path)} is {quoted(error.instance)}; expected {word} {error.validator_value}"
    yield Hit(code="S006", message=message, at=path)


def _wrong_length(error: Any, path: KeyPath) -> Iterator[Hit]:
    bound, unit = error.validator[:3], error.validator[3:]
    words = {"Items": "items", "Length": "characters", "Properties": "keys"}[unit]
    limit = f"at {'least' if bound == 'min' else 'most'} {error.validator_value}"
    yield Hit(code="S007", message=f"{_name(path)} has {len(error.instance)} {words}; expected {limit}", at=path)


def _repeated(error: Any, path: KeyPath) -> Iterator[Hit]:
    items = error.instance
    position = next(index for index, item in enumerate(items) if item in items[:index])
    first = items.index(items[position])
    message = f"{_name(path)} holds {quoted(items[position])} twice (items {first + 1} and {position + 1})"
    yield Hit(code="S008", message=message, at=(*path, position))


def _no_variant(error: Any, path: KeyPath) -> Iterator[Hit]:
    """Explain the one branch that was meant, if it can be told; otherwise name the branches."""
    branches: dict[int, list[Any]] = {}
    for cause in error.context:
        branches.setdefault(cause.schema_path[0], []).append(cause)
    meant = _meant_branch(branches, error)
    if meant is not None:
        for cause in branches[meant]:
            yield from _explain(cause)
        return
    forms = [_form(branch) for branch in error.validator_value]
    message = f"{_name(path)} is {quoted(error.instance)}, which is none of the forms it may have"
    yield Hit(code="S009", message=message, at=path, fix=f"Write it as {'; or as '.join(forms)}.")


def _meant_branch(branches: dict[int, list[Any]], error: Any) -> int | None:
    """Return the only branch whose outermost shape fits, and which fails further in; None when unclear."""
    near = [
        index
        for index, causes in branches.items()
        if all(len(cause.absolute_path) > len(error.absolute_path) or cause.validator in _INNER for cause in causes)
        and not any(cause.validator in ("const", "enum") for cause in causes)
    ]
    return near[0] if len(near) == 1 else None


_INNER = frozenset(["required", "additionalProperties", "minimum", "maximum", "minItems", "maxItems"])
"""Keywords that fail at a value's own place although its kind is right."""


def _form(branch: dict[str, Any]) -> str:
    text = branch.get("title") or branch.get("description") or _TYPES.get(str(branch.get("type")), "another form")
    example = _example(branch)
    return f"{str(text).rstrip('.')}, for example {example}" if example else str(text).rstrip(".")


def _other(error: Any, path: KeyPath) -> Iterator[Hit]:
    message = f"{_name(path)} does not fulfil {quoted(error.validator)} of the schema"
    yield Hit(code="S009", message=message, at=path)


_EXPLANATIONS: dict[str, Callable[[Any, KeyPath], Iterator[Hit]]] = {
    "additionalProperties": _unknown_keys,
    "unevaluatedProperties": _unknown_keys,
    "required": _missing_key,
    "type": _wrong_type,
    "enum": _not_allowed,
    "const": _not_allowed,
    "pattern": _wrong_form,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMinimum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
    "multipleOf": _out_of_range,
    "minItems": _wrong_length,
    "maxItems": _wrong_length,
    "minLength": _wrong_length,
    "maxLength": _wrong_length,
    "minProperties": _wrong_length,
    "maxProperties": _wrong_length,
    "uniqueItems": _repeated,
    "anyOf": _no_variant,
    "oneOf": _no_variant,
}


def _without_echoes(hits: list[Hit]) -> list[Hit]:
    """Drop "missing owner_id" where "unknown ownerid, did you mean owner_id?" already says it; drop repeats."""
    renamed = {
        (hit.at[:-1], hit.fix.removeprefix("Rename it to ").rstrip("."))
        for hit in hits
        if hit.code == "S001" and hit.at and hit.fix.startswith("Rename it to ")
    }
    kept: dict[tuple[str, KeyPath | None, str], Hit] = {}
    for hit in hits:
        if hit.code == "S002" and (hit.at, hit.message.split('"')[1]) in renamed:
            continue
        kept.setdefault((hit.code, hit.at, hit.message), hit)
    return list(kept.values())


def _name(path: KeyPath) -> str:
    return dotted(path) or "the document"


def _kind(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        return quoted(value)
    if isinstance(value, bool):
        return f"{quoted(value)}, a boolean"
    return f"the text {quoted(value)}" if isinstance(value, str) else f"the number {quoted(value)}"


def _example(schema: Any) -> str:
    examples = schema.get("examples") if isinstance(schema, dict) else None
    if not isinstance(examples, list) or not examples or isinstance(examples[0], dict | list):
        return ""
    return json.dumps(examples[0], ensure_ascii=False)


def _listing(values: Sequence[str]) -> str:
    shown = ", ".join(values[:_MANY])
    return shown + (f" and {len(values) - _MANY} more" if len(values) > _MANY else "") if values else "none"


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
