"""From a schema violation to a sentence that an author can act on.

The input is jsonschema's own error object: which keyword failed, where, on what value. The output says what is,
what was expected (the near word for a misspelt key, the allowed words, an example) and what to do. A
message repeats at most the start of one scalar, never a document.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nodespec.encoding import quoted
from nodespec.finding import Hit, KeyPath, dotted
from nodespec.pattern import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def explain(error: Any) -> Iterator[Hit]:
    """Yield what one validation error means to the author of the document."""
    say = _EXPLANATIONS.get(error.validator, _other)
    path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path and isinstance(error.instance, str):
        yield from (_about_key(hit, path, error.instance) for hit in say(error, path))
    else:
        yield from say(error, path)


def _about_key(hit: Hit, path: KeyPath, key: str) -> Hit:
    """Turn a hit about a value into one about a key of the mapping at ``path``."""
    message = hit.message.removeprefix(f"{_name(path)} is ")
    message = message if message != hit.message else hit.message.removeprefix(f"{_name(path)} ")
    where = f" of {dotted(path)}" if path else ""
    said = message if message.startswith(quoted(key)) else f"{quoted(key)} {message}"
    return Hit(
        code=hit.code,
        message=f"key {said}".replace(quoted(key), quoted(key) + where, 1),
        at=(*path, key),
        on_key=True,
        fix=hit.fix,
    )


def _unknown_keys(error: Any, path: KeyPath) -> Iterator[Hit]:
    schema = error.schema
    missing = [name for name in schema.get("properties", {}) if name not in error.instance]
    for key in error.validator_value:
        near = _near_key(key, missing, list(schema.get("patternProperties", {})))
        message = f"unknown key {quoted(key)}" + (f"; did you mean {quoted(near)}?" if near else "")
        fix = f"Rename it to {near}." if near else f"Remove it. Keys that may be added here: {_listing(missing)}."
        yield Hit(code="S001", message=message, at=(*path, key), on_key=True, fix=fix)


def _near_key(key: str, missing: list[str], patterns: list[str]) -> str:
    """Return the key that was probably meant: one that is not there yet, or an extension spelt x-…."""
    near = get_close_matches(key, missing, n=1, cutoff=0.6)
    extension = key.lower().replace("_", "-")
    if not near and extension.startswith("x-") and any(matches(pattern, extension) for pattern in patterns):
        return extension
    return near[0] if near else ""


def _unevaluated_keys(error: Any, path: KeyPath) -> Iterator[Hit]:
    # jsonschema names the keys only in its message.
    for key in error.instance:
        if repr(key) in error.message:
            yield Hit(code="S001", message=f"unknown key {quoted(key)}", at=(*path, key), on_key=True, fix="Remove it.")


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
        fix = f'Quote it: "{quoted(error.instance)}".'
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
    message = f"{_name(path)} is {quoted(error.instance)}, which does not match the required form{expected}"
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
    words = words if len(error.instance) != 1 else words[:-1]
    fix = "Add what is missing, or remove the key." if bound == "min" else "Shorten it."
    message = f"{_name(path)} has {len(error.instance)} {words}; expected {limit}"
    yield Hit(code="S007", message=message, at=path, fix=fix)


def _repeated(error: Any, path: KeyPath) -> Iterator[Hit]:
    first, second = first_repeated(error.instance) or (0, 0)
    message = f"{_name(path)} holds {quoted(error.instance[second])} twice (items {first + 1} and {second + 1})"
    yield Hit(code="S008", message=message, at=(*path, second))


def first_repeated(items: list[Any]) -> tuple[int, int] | None:
    """Return the positions of the first two items that JSON Schema calls equal (1 and 1.0 are, 1 and true are not)."""
    seen: dict[str, int] = {}
    for position, item in enumerate(items):
        first = seen.setdefault(json.dumps(_plain_numbers(item), sort_keys=True), position)
        if first != position:
            return first, position
    return None


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value


def _no_variant(error: Any, path: KeyPath) -> Iterator[Hit]:
    """Explain the one branch that was meant, if it can be told; otherwise name the branches."""
    branches: dict[int, list[Any]] = {}
    for cause in error.context:
        if cause.schema_path:  # a branch that is plainly false has no path, and nothing to explain
            branches.setdefault(cause.schema_path[0], []).append(cause)
    if error.validator == "oneOf" and not error.context:
        message = f"{_name(path)} is {quoted(error.instance)}, which fits more than one of the forms it may have"
        yield Hit(code="S009", message=message, at=path, fix="Write it so that it fits one form only.")
        return
    meant = _meant_branch(branches, error)
    if meant is not None:
        for cause in branches[meant]:
            yield from explain(cause)
        return
    forms = [_form(branch) for branch in error.validator_value if branch is not False] or ["nothing"]
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


def _form(branch: Any) -> str:
    if not isinstance(branch, dict):
        return "anything"
    text = str(branch.get("title") or branch.get("description") or _TYPES.get(str(branch.get("type")), "another form"))
    text = text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
    example = _example(branch)
    return f"{text.rstrip('.')}, for example {example}" if example else text.rstrip(".")


def _other(error: Any, path: KeyPath) -> Iterator[Hit]:
    if error.validator in (None, "not"):
        message = f"{_name(path)} is {quoted(error.instance)}, which the schema does not allow here"
    else:
        message = f"{_name(path)} does not fulfil {quoted(error.validator)} of the schema"
    yield Hit(code="S009", message=message, at=path)


_EXPLANATIONS: dict[str, Callable[[Any, KeyPath], Iterator[Hit]]] = {
    "additionalProperties": _unknown_keys,
    "unevaluatedProperties": _unevaluated_keys,
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


def without_echoes(hits: list[Hit]) -> list[Hit]:
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
