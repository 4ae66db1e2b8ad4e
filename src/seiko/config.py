"""How a recipe becomes JSON and comes back.

A recipe is a tree of frozen dataclasses. Each node is written as ``{"type": "seiko.rewards.Ensemble", ...fields}``,
where the type is the name under which a module on the allow-list *exports* the class, not the file where it lives.
Writing and reading walk the same annotations, so that what can be written can be read, and `1` in a field of type
float is written as `1.0`: equal recipes have equal digests.

    digest = SHA-256(canonical JSON),   canonical = sorted keys, no spaces, ASCII, finite numbers of at most 64 bits

Nothing is imported because a file asks for it: a type is looked up in `__all__` of a module on the allow-list, or
refused. Mappings, callables and tensors are not configuration and are refused too.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import hashlib
import importlib
import json
import math
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, NoReturn, TypeAlias, Union

from typing_extensions import get_protocol_members

__all__ = [
    "DEFAULT_MODULES",
    "JSON",
    "ConfigError",
    "canonical_json",
    "difference",
    "digest",
    "from_json",
    "read_json",
    "to_json",
]

JSON: TypeAlias = bool | int | float | str | Sequence[Any] | Mapping[str, Any] | None

DEFAULT_MODULES = (
    "seiko.models",
    "seiko.oracles",
    "seiko.rewards",
    "seiko.acquisition",
    "seiko.updates",
    "seiko.campaign",
)
"""Modules whose exported dataclasses may appear in a recipe."""

MAX_DEPTH = 64
_UNIONS = (Union, types.UnionType)
_LEAVES = (type(None), bool, int, float, str, Path)


class ConfigError(ValueError):
    """A recipe or its JSON is not what the fields ask for; the message names the field and the way out."""


# ---------------------------------------------------------------- plain JSON


def canonical_json(value: object) -> str:
    """Return the one spelling of a JSON value: sorted keys, no spaces, ASCII.

    Raises:
        ConfigError: If the value holds NaN or infinity, an integer beyond 64 bits, a key that is not text, more than
            64 levels, or anything that is not JSON.
    """
    _check_plain(value, "", 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_json(text: str | bytes) -> Any:
    """Parse JSON strictly: no NaN or infinity, no repeated keys, no integer beyond 64 bits, at most 64 levels.

    Raises:
        ConfigError: If the text is not such JSON.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except RecursionError:
        raise ConfigError(f"JSON is nested too deeply: at most {MAX_DEPTH} levels are read") from None
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"not valid JSON: {error}") from error
    _check_plain(value, "", 0)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ConfigError(f"JSON numbers must be finite, got {name}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ConfigError(f"key {next(k for k in keys if keys.count(k) > 1)!r} appears twice in one JSON object")
    return data


def _check_plain(value: object, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConfigError(f"{_label(where[:60])} is nested too deeply: at most {MAX_DEPTH} levels are kept")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"keys of {_label(where)} must be text, got {_short(key)}")
            _check_plain(item, _field(where, key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, (int, float)):
        _check_number(value, where)
    elif value is not None and not isinstance(value, str):
        raise ConfigError(f"{_label(where)} must be plain JSON, got {_short(value)} ({type(value).__name__})")


def _check_number(value: int | float, where: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{_label(where)} must be a finite number, got {value}")
    elif not -(2**63) <= value < 2**63:
        raise ConfigError(f"{_label(where)} must be an integer of at most 64 bits, got one of {value.bit_length()}")


# ------------------------------------------------------------ recipe to JSON


def to_json(recipe: object, *, modules: Sequence[str] = DEFAULT_MODULES) -> dict[str, Any]:
    """Write a tree of frozen dataclasses as JSON.

    Tuples become lists, paths become text; every field is written, defaults included. Values are checked against the
    annotations now, so that a recipe which could not be read back fails before anything is spent.

    Args:
        recipe: Frozen dataclass; its fields hold None, bool, int, finite float, str, Path, tuples and such dataclasses.
        modules: Modules whose exported classes may appear.

    Returns:
        A JSON object whose ``"type"`` names the class.

    Raises:
        ConfigError: If a value has the wrong type or cannot be kept, or a class is not exported; the field is named.
    """
    if not dataclasses.is_dataclass(recipe) or isinstance(recipe, type):
        raise ConfigError(f"a recipe must be a frozen dataclass, got {_short(recipe)}")
    written: dict[str, Any] = _walk(_structure(recipe, "", 0, modules), Any, "", 0, modules, build=False)
    return written


def _structure(value: object, where: str, depth: int, modules: Sequence[str]) -> Any:
    """Return the value as JSON by its own shape; the annotations are checked afterwards, by `_walk`."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"{_label(where[:60])} is nested too deeply: at most {MAX_DEPTH} levels are kept")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        node: dict[str, Any] = {"type": _public_name(type(value), where, modules)}
        for field in dataclasses.fields(value):
            if field.name == "type":
                raise ConfigError(f"{node['type']} has a field 'type', which names the class in JSON: rename the field")
            if field.init:
                node[field.name] = _structure(getattr(value, field.name), _field(where, field.name), depth + 1, modules)
        return node
    if isinstance(value, (tuple, list)):
        return [_structure(item, f"{where}[{index}]", depth + 1, modules) for index, item in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, float):
        return float(value)  # a numpy double is a float by inheritance
    if value is None or type(value) in (bool, int, str):
        return value
    raise ConfigError(
        f"{_label(where)} cannot be kept in a recipe, got {_short(value)}: use None, bool, int, float, str, Path, "
        f"tuples of these, or a frozen dataclass exported by one of {', '.join(modules)}"
    )


def _public_name(cls: type, where: str, modules: Sequence[str]) -> str:
    def is_elsewhere(module: str) -> bool:
        return not f"{cls.__module__}.".startswith(f"{module}.")

    for module in sorted(modules, key=is_elsewhere):  # the packages around the class first: they are imported already
        try:
            if cls.__name__ in _exports(module) and getattr(importlib.import_module(module), cls.__name__) is cls:
                return f"{module}.{cls.__name__}"
        except ImportError:
            continue
    raise ConfigError(
        f"{_label(where)} is a {cls.__module__}.{cls.__qualname__}, which no module of the allow-list exports: "
        f"add it to __all__ of one of {', '.join(modules)}, or pass its module in `modules`"
    )


def _exports(module: str) -> Sequence[str]:
    return tuple(getattr(importlib.import_module(module), "__all__", ()))


# ------------------------------------------------------------ JSON to recipe


def from_json(data: object, *, modules: Sequence[str] = DEFAULT_MODULES) -> Any:
    """Read a recipe back from what `to_json` wrote, or from a file written by hand.

    Fields with a default may be left out; an int is accepted for a float; lists become tuples.

    Args:
        data: JSON object with a ``"type"``, as parsed; parse untrusted text with `read_json`.
        modules: Modules whose exported dataclasses may appear. Nothing else is ever imported.

    Returns:
        The dataclass that ``"type"`` names.

    Raises:
        ConfigError: If a type is not exported, a key is unknown, a required one missing, or a value of the wrong type
            (``reward_model.members must be int, got '8'``), or if the class itself refuses its values.
    """
    return _walk(data, Any, "", 0, modules, build=True)


def _walk(data: Any, hint: Any, where: str, depth: int, modules: Sequence[str], *, build: bool) -> Any:
    """Check JSON against an annotation; return the object if `build`, else the JSON, ints in float fields widened."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"{_label(where[:60])} is nested too deeply: at most {MAX_DEPTH} levels are read")
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    arms = typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)
    if isinstance(data, Mapping):
        return _walk_node(data, hint, arms, where, depth, modules, build=build)
    if not where:
        raise ConfigError(f"a recipe must be a JSON object with a 'type', got {_short(data)}")
    if isinstance(data, (list, tuple)):
        for arm in arms:
            items = _items(arm, len(data))
            if items is not None:
                walked = [
                    _walk(item, item_hint, f"{where}[{index}]", depth + 1, modules, build=build)
                    for index, (item, item_hint) in enumerate(zip(data, items, strict=True))
                ]
                return tuple(walked) if build else walked
        raise ConfigError(f"{where} must be {_describe(hint)}, got {_short(data)}")
    if type(data) in (int, float):
        _check_number(data, where)
    for accepts in (_accepts_exactly, _accepts_widened):  # an int stays an int in `float | int`
        for arm in arms:
            if accepts(data, arm):
                if arm is float:
                    return float(data)
                return Path(data) if arm is Path and build else data
    raise ConfigError(f"{where} must be {_describe(hint)}, got {_short(data)}")


def _walk_node(
    data: Mapping[str, Any],
    hint: Any,
    arms: Sequence[Any],
    where: str,
    depth: int,
    modules: Sequence[str],
    *,
    build: bool,
) -> Any:
    cls = _resolve(data, hint, where, modules)
    if not any(_fits(cls, arm) for arm in arms):
        raise ConfigError(f"{_label(where)} must be {_describe(hint)}, got a {data['type']}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if "type" in fields:
        raise ConfigError(f"{data['type']} has a field 'type', which names the class in JSON: rename the field")
    for key in data:
        if key != "type" and key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"its fields are {', '.join(fields) or 'none'}"
            raise ConfigError(f"{_label(where)} ({data['type']}) has no field {_short(key)}; {advice}")
    for name, field in fields.items():
        if name not in data and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{_field(where, name)} is missing: {data['type']} has no default for it")
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise ConfigError(f"annotations of {data['type']} cannot be resolved at run time: {error}") from error
    values = {
        name: _walk(data[name], hints[name], _field(where, name), depth + 1, modules, build=build)
        for name in fields
        if name in data
    }
    if not build:
        return {"type": data["type"], **values}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{_label(where)} ({data['type']}): {error}") from error


def _resolve(data: Mapping[str, Any], hint: Any, where: str, modules: Sequence[str]) -> Any:
    name = data.get("type")
    if not isinstance(name, str):
        raise ConfigError(f"{_label(where)} must be {_describe(hint)} with a 'type', got {_short(dict(data))}")
    module, _, exported = name.rpartition(".")
    if module not in modules:
        raise ConfigError(
            f"{_label(where)} has type {_short(name)}, whose module is not on the allow-list "
            f"({', '.join(modules)}): pass it in `modules` if you trust it"
        )
    try:
        if exported not in _exports(module):
            raise ConfigError(f"{_label(where)} has type {_short(name)}, but {module} exports no {_short(exported)}")
        cls = getattr(importlib.import_module(module), exported)
    except ImportError as error:
        raise ConfigError(f"{_label(where)} needs {module}, which cannot be imported: {error}") from error
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ConfigError(f"{_label(where)} has type {name}, which is not a dataclass")
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed leaves it out
        raise ConfigError(f"{_label(where)} has type {name}, which is not frozen: declare @dataclass(frozen=True)")
    return cls


def _fits(cls: type, hint: Any) -> bool:
    """Whether a dataclass satisfies the annotation, without building it: recipes may be costly to build."""
    if hint is Any or hint is object:
        return True
    base = typing.get_origin(hint) or hint
    if not isinstance(base, type) or base in (*_LEAVES, tuple):
        return False
    if getattr(base, "_is_protocol", False):
        own = {name for parent in cls.__mro__ if parent is not object for name in vars(parent)}
        own.update(field.name for field in dataclasses.fields(cls))
        return get_protocol_members(base) <= own
    return issubclass(cls, base)


def _items(hint: Any, length: int) -> list[Any] | None:
    """Return the annotation of each item of a list of this length; None if the hint is no such sequence."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, tuple):
        return [Any] * length
    if origin is collections.abc.Sequence or (origin is tuple and len(args) == 2 and args[1] is Ellipsis):
        return [args[0]] * length
    return list(args) if origin is tuple and len(args) == length else None


def _accepts_exactly(data: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return any(type(data) is type(value) and data == value for value in typing.get_args(hint))
    if hint is Any or hint is object:
        return type(data) in _LEAVES
    return type(data) is (type(None) if hint is None else hint)


def _accepts_widened(data: Any, hint: Any) -> bool:
    return (hint is float and type(data) is int) or (hint is Path and type(data) is str)


# ------------------------------------------------------- telling runs apart


def digest(recipe: object, *, modules: Sequence[str] = DEFAULT_MODULES) -> str:
    """Return the SHA-256 of the canonical JSON of a recipe: equal recipes, and only they, share it.

    To ask whether a run belongs to a recipe, compare with ``digest(from_json(stored))``: a field that the library got
    since, with a default, is then filled in rather than counted as a difference.

    Args:
        recipe: Frozen dataclass, or the JSON object that `to_json` made of one.
        modules: Modules whose exported classes may appear.
    """
    data = dict(recipe) if isinstance(recipe, Mapping) else to_json(recipe, modules=modules)
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def difference(run: object, asked: object) -> list[str]:
    """Say in words where two recipes differ: ``budget: 500 in the run, 1000 asked for``.

    Args:
        run: JSON of the recipe that the run folder was made with.
        asked: JSON of the recipe that is asked for now.

    Returns:
        One sentence a field, in the order of the fields; empty if there is none.
    """
    return list(_differences(run, asked, ""))


def _differences(run: object, asked: object, where: str) -> collections.abc.Iterator[str]:
    if isinstance(run, Mapping) and isinstance(asked, Mapping) and run.get("type") == asked.get("type"):
        for key in dict.fromkeys((*run, *asked)):
            if key in run and key in asked:
                yield from _differences(run[key], asked[key], _field(where, key))
            else:
                sides = (_say(side[key]) if key in side else "absent" for side in (run, asked))
                yield "{}: {} in the run, {} asked for".format(_field(where, key), *sides)
    elif isinstance(run, list) and isinstance(asked, list) and len(run) == len(asked):
        for index, pair in enumerate(zip(run, asked, strict=True)):
            yield from _differences(*pair, f"{where}[{index}]")
    elif type(run) is not type(asked) or run != asked:
        yield f"{where or 'recipe'}: {_say(run)} in the run, {_say(asked)} asked for"


def _say(value: object) -> str:
    if isinstance(value, Mapping) and "type" in value:
        return str(value["type"])
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ------------------------------------------------------------------- wording


def _field(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _label(where: str) -> str:
    return where or "the recipe"


def _short(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return f"a {type(value).__name__}"


def _describe(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        return " or ".join(_describe(arm) for arm in args)
    if origin is Literal:
        return "one of " + ", ".join(repr(value) for value in args)
    if origin is collections.abc.Sequence or (origin is tuple and args and args[-1] is Ellipsis):
        return f"a list of {_describe(args[0])}"
    if origin is tuple:
        return f"a list of {len(args)} ({', '.join(_describe(arm) for arm in args)})"
    if hint is None or hint is type(None):
        return "None"
    if hint is Any or hint is object:
        return "a value"
    name = getattr(origin or hint, "__name__", str(hint))
    return name if hint in _LEAVES else f"a {name}"
