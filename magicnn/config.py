"""Settings: frozen pydantic models, read from YAML, changed by dotted overrides, every mistake named at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from magicnn.errors import ConfigError, nearest_names

__all__ = ["Settings", "apply_overrides", "dump_settings", "load_settings", "read_yaml", "validate_settings"]


class Settings(BaseModel):
    """Base of every group of settings: unknown keys are refused, values are frozen after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_S = TypeVar("_S", bound=BaseModel)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        The file is missing, not YAML, or not a mapping.
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
        lines = []
        for mistake in error.errors():
            path = ".".join(str(part) for part in mistake["loc"])
            if mistake["type"] == "extra_forbidden":
                lines.append(
                    f"{path}: unknown setting, {nearest_names(str(mistake['loc'][-1]), _names(model, mistake['loc']))}"
                )
            else:
                given = "" if isinstance(mistake["input"], Mapping) else f", got {mistake['input']!r}"
                lines.append(f"{path or 'settings'}: {mistake['msg']}{given}")
        raise ConfigError(f"{where}: " + "; ".join(lines)) from error


def load_settings(model: type[_S], path: Path | str, overrides: Sequence[str] = ()) -> _S:
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
    return validate_settings(model, apply_overrides(read_yaml(path), overrides), where=str(path))


def dump_settings(settings: BaseModel) -> str:
    """Return settings as YAML with every value, defaults included."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _copied(values: Any) -> Any:
    return {k: _copied(v) for k, v in values.items()} if isinstance(values, Mapping) else values


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Known names in the group of settings that a location lies in."""
    group: Any = model
    for part in location[:-1]:
        field = getattr(group, "model_fields", {}).get(part)
        if field is not None:
            group = field.annotation
    return list(getattr(group, "model_fields", {}))
