"""Model files that describe themselves, and the state of an unfinished training; plain types and tensors only."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from magicnn.camera import Camera
from magicnn.config import validate_settings
from magicnn.errors import CheckpointError, ConfigError
from magicnn.events import EventMeta
from magicnn.nn.model import EventModel, Normalisation
from magicnn.nn.settings import Head, InputSettings, NetworkSettings, TrainingSettings
from magicnn.readout import UNKNOWN_READOUT, Readout
from magicnn.runs import atomic_path, provenance
from magicnn.summary import Lines, html_page, written_lines
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = [
    "ModelDescription",
    "TrainedModel",
    "build_model",
    "load_description",
    "load_model",
    "load_state",
    "save_model",
    "save_state",
]

_FORMAT = "magicnn model"
_VERSION = 1
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class ModelDescription:
    """Everything needed to build a model again, and how it came about.

    Attributes
    ----------
    camera_name, camera_fingerprint : str
        Camera it was made for.
    telescopes : tuple of str
        Names along T.
    inputs, network, training : settings
        What it sees, its shape, how it was trained.
    normalisation : Normalisation
        Statistics of its training events.
    history : tuple of mapping
        One entry per epoch.
    key : str
        Hash of settings and training events.
    readout, zenith : Readout, ZenithRange
        Of the training events.
    """

    camera_name: str
    camera_fingerprint: str
    telescopes: tuple[str, ...]
    inputs: InputSettings
    network: NetworkSettings
    training: TrainingSettings
    normalisation: Normalisation
    history: tuple[Mapping[str, float], ...] = ()
    key: str = ""
    readout: Readout = UNKNOWN_READOUT
    zenith: ZenithRange = UNKNOWN_ZENITH

    @property
    def heads(self) -> tuple[Head, ...]:
        """What the model estimates."""
        return self.training.heads

    def __repr__(self) -> str:
        return f"ModelDescription({self._brief})"

    def _repr_html_(self) -> str:
        return html_page("ModelDescription", self._lines)

    @property
    def _brief(self) -> str:
        where = f"{'+'.join(self.telescopes)}, {self.camera_name}"
        return f"{' and '.join(self.heads)}; {self.network.architecture}, {where}, {len(self.history)} epochs"

    @property
    def _lines(self) -> Lines:
        losses = [float(e["validation_loss"]) for e in self.history if e.get("validation_loss") is not None]
        shape = ", ".join(f"{name} {value}" for name, value in self.network.arguments.items())
        return [
            ("estimates", ", ".join(self.heads)),
            ("network", self.network.architecture + (shape and f" ({shape})")),
            ("image channels", ", ".join(self.inputs.channels)),
            ("auxiliary inputs", ", ".join(self.inputs.auxiliary) or "none"),
            ("telescopes", ", ".join(self.telescopes)),
            ("camera", self.camera_name),
            ("epochs", f"{len(self.history)}, best validation loss {min(losses):.4g}" if losses else ""),
            ("trained at readout", str(self.readout)),
            ("trained at zenith", str(self.zenith)),
        ]


@dataclass(frozen=True)
class TrainedModel:
    """A model ready to predict.

    Attributes
    ----------
    model : EventModel
        On its device, in evaluation mode.
    description : ModelDescription
        What it is.
    provenance : mapping
        Versions, seed and command of the training.
    """

    model: EventModel
    description: ModelDescription
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.mean.device

    @property
    def n_parameters(self) -> int:
        """Number of trained weights."""
        return sum(p.numel() for p in self.model.parameters())

    def __repr__(self) -> str:
        return f"TrainedModel({self.description._brief}, {self.n_parameters} parameters, on {self.device})"

    def _repr_html_(self) -> str:
        own = [("parameters", str(self.n_parameters)), ("device", str(self.device))]
        return html_page("TrainedModel", [*self.description._lines, *own, *written_lines(self.provenance)])


def build_model(description: ModelDescription, camera: Camera, telescopes: Sequence[str]) -> EventModel:
    """Build a model with fresh weights.

    Raises
    ------
    CheckpointError
        The camera or the telescopes are others than the model was made for.
    """
    if camera.fingerprint != description.camera_fingerprint:
        raise CheckpointError(
            f"the model was made for the camera {description.camera_name} ({description.camera_fingerprint}), "
            f"these events come from {camera.name} ({camera.fingerprint}, {camera.n_pixels} pixels)"
        )
    if tuple(telescopes) != description.telescopes:
        raise CheckpointError(
            f"the model was made for the telescopes {', '.join(description.telescopes)}, "
            f"these events come from {', '.join(telescopes)}"
        )
    return EventModel(
        camera,
        description.telescopes,
        description.inputs,
        description.network,
        description.heads,
        description.normalisation,
    )


def save_model(path: Path | str, model: EventModel, description: ModelDescription) -> None:
    """Write a model file, atomically.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    settings = {name: getattr(description, name).model_dump(mode="json") for name in ("inputs", "network", "training")}
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "camera_name": description.camera_name,
        "camera_fingerprint": description.camera_fingerprint,
        "telescopes": list(description.telescopes),
        "auxiliary_names": list(model.arranger.layout.names),
        **settings,
        "normalisation": _listed(asdict(description.normalisation)),
        "history": [dict(entry) for entry in description.history],
        "key": description.key,
        "readout": description.readout.to_mapping(),
        "zenith": description.zenith.to_mapping(),
        "provenance": provenance(seed=description.training.seed),
        "weights": {name: values.detach().cpu() for name, values in model.state_dict().items()},
    }
    with atomic_path(path) as partial:
        torch.save(content, partial)


def load_model(path: Path | str, meta: EventMeta | None = None, *, device: str | torch.device = "cpu") -> TrainedModel:
    """Read a model file.

    Parameters
    ----------
    path : path
        File written by `save_model`.
    meta : EventMeta, optional
        Of the events to predict: their camera and telescopes; MAGIC's when not given.
    device : str or torch.device
        Where the model shall run.

    Returns
    -------
    TrainedModel

    Raises
    ------
    CheckpointError
        The file is missing, damaged, no model, of a newer version, or made for another camera or other telescopes.
    """
    content = _content(path)
    camera, telescopes = (meta.camera, meta.telescopes) if meta else (Camera.magic(), tuple(content["telescopes"]))
    try:
        description = _description(content)
        model = build_model(description, camera, telescopes)
        _check_names(model.arranger.layout.names, content["auxiliary_names"])
        model.load_state_dict(content["weights"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    model.to(device).eval()
    return TrainedModel(model, description, content["provenance"])


def load_description(path: Path | str) -> tuple[ModelDescription, Mapping[str, Any]]:
    """Read what a model file says of itself, whatever camera it was made for.

    Returns
    -------
    description : ModelDescription
    provenance : mapping
        Versions, seed and command of the training.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, no model, or of a newer version.
    """
    content = _content(path)
    try:
        return _description(content), content["provenance"]
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of an unfinished training, atomically."""
    with atomic_path(path) as partial:
        torch.save(dict(state), partial)


def load_state(path: Path, key: str) -> dict[str, Any] | None:
    """Read the state of an unfinished training.

    Parameters
    ----------
    path : Path
        File written by `save_state`.
    key : str
        Hash of settings and training events that it must belong to.

    Returns
    -------
    dict or None
        None when there is no such file.

    Raises
    ------
    CheckpointError
        The file is damaged, or belongs to other settings or events.
    """
    if not path.exists():
        return None
    state = _load(path)
    if state.get("key") != key:
        raise CheckpointError(
            f"{path}: an unfinished training with other settings or other events; delete it or give another output"
        )
    return state


_DAMAGE = (KeyError, ValueError, TypeError, RuntimeError, ConfigError)


def _damaged(path: Path | str, error: BaseException) -> CheckpointError:
    return CheckpointError(f"{path}: damaged model file ({' '.join(str(error).split())[:200]})")


def _content(path: Path | str) -> dict[str, Any]:
    content = _load(path)
    if content.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: not a model file of magicnn")
    if content.get("version", 0) > _VERSION:
        raise CheckpointError(
            f"{path}: model format {content['version']}, this magicnn reads up to {_VERSION}; update it"
        )
    return content


def _description(content: Mapping[str, Any]) -> ModelDescription:
    return ModelDescription(
        camera_name=content["camera_name"],
        camera_fingerprint=content["camera_fingerprint"],
        telescopes=tuple(content["telescopes"]),
        inputs=validate_settings(InputSettings, content["inputs"], where="inputs"),
        network=validate_settings(NetworkSettings, content["network"], where="network"),
        training=validate_settings(TrainingSettings, content["training"], where="training"),
        normalisation=_normalisation(content["normalisation"]),
        history=tuple(content["history"]),
        key=content["key"],
        readout=Readout.from_mapping(content.get("readout")),
        zenith=ZenithRange.from_mapping(content.get("zenith")),
    )


def _load(path: Path | str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_ZIP_MAGIC))
        # torch takes anything else for one of its old formats and fails in ways that it does not document
        if head != _ZIP_MAGIC:
            raise CheckpointError(f"{path}: not a model file (damaged file, or not written by magicnn)")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path}: not a model file but a folder") from error
    except (OSError, LookupError, AttributeError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: damaged file, or not written by magicnn") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: not written by magicnn")
    return content


def _check_names(known: Sequence[str], stored: Sequence[str]) -> None:
    if list(known) != list(stored):
        raise CheckpointError("its auxiliary inputs differ from those that this version of magicnn computes")


def _listed(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: _listed(value) for name, value in values.items()}
    return [_listed(value) for value in values] if isinstance(values, list | tuple) else values


def _normalisation(values: Mapping[str, Any]) -> Normalisation:
    edges: Sequence[Sequence[float]] = values["edges"]
    return Normalisation(
        mean=tuple(values["mean"]),
        scale=tuple(values["scale"]),
        edges=tuple(tuple(row) for row in edges),
        log_energy_mean=float(values["log_energy_mean"]),
        log_energy_scale=float(values["log_energy_scale"]),
    )
