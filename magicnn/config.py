"""Settings: frozen pydantic models, read from YAML, changed by dotted overrides, every mistake named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from magicnn.errors import ConfigError, has_near_name, nearest_names
from magicnn.summary import fold, html_page, html_table

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Settings", "apply_overrides", "dump_settings", "load_settings", "read_yaml", "validate_settings"]


class Settings(BaseModel):
    """Base of every group of settings: unknown keys are refused, values are frozen after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    settings_of: ClassVar[str] = ""
    """What a file with these settings describes, such as "a site"; nothing for groups without files of their own."""
    example_file: ClassVar[str] = ""
    """Such a file in the repository."""

    def _repr_html_(self) -> str:
        return html_page(type(self).__name__, [], _settings_table(self))


_S = TypeVar("_S", bound=BaseModel)
_T = TypeVar("_T", bound=Settings)

_EXPECTED = {
    "bool": "true or false",
    "dict_type": "a group of settings",
    "float": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int": "a whole number",
    "invalid_key": "a name",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "model_type": "a group of settings",
    "path_type": "the name of a file or folder",
    "string_too_short": "a text of {min_length} or more characters",
    "string_type": "a text",
    "too_long": "a list of {max_length} or fewer",
    "too_short": "a list of {min_length} or more",
    "tuple_type": "a list",
}
"""What is expected, by pydantic's names of mistakes, or by the part of them in front of the first underscore."""

_SHOWN_NAMES = 3
_SHOWN_CHARACTERS = 60


def read_yaml(path: Path | str, model: type[Settings] | None = None) -> dict[str, Any]:
    """Read a YAML mapping.

    Parameters
    ----------
    path : path
        YAML file.
    model : type, optional
        Settings that the file is for: a file that has none of them is refused in one line.

    Raises
    ------
    ConfigError
        The file is missing, not YAML, not a mapping, or plainly one of other settings.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(content).__name__}")
    if model is not None:
        _require_kind(model, content, path)
    return content


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply ``key.sub=value`` texts to nested settings.

    Parameters
    ----------
    values : mapping
        Nested plain settings; not changed.
    overrides : sequence of str
        As given with ``--set``; the value is YAML.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        No ``=``, an empty key, or a key below a plain value.
    """
    result: dict[str, Any] = _copied(values)
    for text in overrides:
        key, equals, value = text.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise ConfigError(f"--set {text!r}: expected KEY=VALUE, for instance --set training.epochs=20")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {text!r}: the value is not YAML") from error
        place = result
        for part in parts[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {text!r}: {part!r} is a single value and has no parts")
        place[parts[-1]] = parsed
    return result


def validate_settings(model: type[_S], values: Mapping[str, Any], *, where: str) -> _S:
    """Turn plain values into settings.

    Raises
    ------
    ConfigError
        Lists every mistake with its dotted path, and for an unknown key the nearest known ones.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(_told(model, error))) from error


def load_settings(model: type[_T], path: Path | str, overrides: Sequence[str] = ()) -> _T:
    """Read settings from a YAML file and apply overrides.

    Parameters
    ----------
    model : type
        The settings class.
    path : path
        YAML file.
    overrides : sequence of str
        ``key.sub=value``, later ones win.

    Returns
    -------
    model

    Raises
    ------
    ConfigError
        See `read_yaml`, `apply_overrides`, `validate_settings`.
    """
    return validate_settings(model, apply_overrides(read_yaml(path, model), overrides), where=str(path))


def dump_settings(settings: BaseModel) -> str:
    """Return settings as YAML with every value, defaults included."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _settings_table(settings: Settings) -> str:
    """Values and meanings as HTML, with the groups inside of them folded."""
    fields = type(settings).model_fields.items()
    values = {name: (getattr(settings, name), field.description or "") for name, field in fields}
    plain = [
        (name, _shown(value), " ".join(text.split()))
        for name, (value, text) in values.items()
        if not isinstance(value, Settings)
    ]
    groups = [fold(name, _settings_table(value)) for name, (value, _) in values.items() if isinstance(value, Settings)]
    return html_table(("setting", "value", "meaning"), plain) + "".join(groups)


def _copied(values: Any) -> Any:
    return {k: _copied(v) for k, v in values.items()} if isinstance(values, Mapping) else values


def _require_kind(model: type[Settings], content: Mapping[str, Any], path: Path | str) -> None:
    """Refuse a file that is plainly of another kind, instead of naming every key of it as a mistake."""
    known = model.model_fields
    if not content or set(content) & set(known) or all(has_near_name(str(key), known) for key in content):
        return
    others = [
        other for other in Settings.__subclasses__() if other.settings_of and set(content) <= set(other.model_fields)
    ]
    held = f"the settings of {others[0].settings_of}" if others else _some(content)
    give = f"; give a file such as {model.example_file}" if model.example_file else ""
    raise ConfigError(f"{path}: holds {held}; expected the settings of {model.settings_of} ({_some(known)}){give}")


def _some(names: Mapping[str, Any]) -> str:
    shown = [str(name) for name in names][:_SHOWN_NAMES]
    return ", ".join(shown + ["..."] * (len(names) > len(shown)))


def _told(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    """Say every mistake in words of this package; names that are missing or known once for each group."""
    missing: dict[str, list[str]] = {}
    listed: set[tuple[int | str, ...]] = set()
    lines: dict[str, None] = {}
    for mistake in error.errors():
        location = mistake["loc"]
        path, group = (".".join(map(str, parts)) for parts in (location, location[:-1]))
        if mistake["type"] == "missing" and isinstance(location[-1], str):
            missing.setdefault(group, []).append(path)
        elif mistake["type"] == "missing":
            lines[f"{group}: expected a longer list, got {_shown(mistake['input'])}"] = None
        elif mistake["type"] == "extra_forbidden":
            hint = nearest_names(str(location[-1]), _names(model, location))
            is_list = hint.startswith("known")
            lines[f"{path}: unknown setting" + ("" if is_list and location[:-1] in listed else f", {hint}")] = None
            listed |= {location[:-1]} if is_list else set()
        else:
            lines[f"{path or 'settings'}: {_reason(mistake)}"] = None
    for paths in missing.values():
        lines[f"{', '.join(paths)}: not given, and without a default"] = None
    yield from lines


def _reason(mistake: ErrorDetails) -> str:
    kind, context = mistake["type"], mistake.get("ctx", {})
    given = "" if isinstance(mistake["input"], Mapping) else f", got {_shown(mistake['input'])}"
    if kind == "value_error":
        return f"{context['error']}{given}"
    expected = _EXPECTED.get(kind, _EXPECTED.get(kind.split("_")[0]))
    # a kind of mistake that no settings of this package make
    told = expected.format(**context) if expected else f"another value ({mistake['msg']})"
    return f"expected {told}{given}"


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Known names in the group of settings that a location lies in."""
    group = model
    for part in location[:-1]:
        field = group.model_fields.get(str(part))
        # numbers in a list and names in a mapping of groups are no fields: the group is the same for all of them
        if field is not None:
            group = next(_groups(field.annotation), group)
    return list(group.model_fields)


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:
    """Groups of settings in an annotation, such as ``Group | None`` or ``dict[str, Group]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _groups(part)
