"""``magicnn info``: what is in a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from magicnn.errors import InputError, MagicnnError

__all__ = ["info"]

_log = logging.getLogger(__name__)

_MODEL_SUFFIXES = (".pt", ".joblib")
_SUFFIXES = (".h5", ".hdf5", ".root", *_MODEL_SUFFIXES)


def info(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="MARS or CORSIKA files, event sets, feature, prediction or model files."),
    ],
    image: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Draw event N of the files, counted from 0, into --output, then stop."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --image: the picture, PNG, PDF or SVG; event_N.png when not given.")
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="Camera to describe or draw, for ctapipe and sim_telarray files with several; any capitals."),
    ] = None,
) -> None:
    """Say what is in files: kind, events, telescopes, run, date, pointing, particle, columns with units."""
    from magicnn.errors import ConfigError

    if image is not None:
        _draw(files, image, output or Path(f"event_{image}.png"), camera)
        return
    if output is not None:
        raise ConfigError("--output goes with --image N, which is missing")
    failed: list[MagicnnError] = []
    for number, found in enumerate(_described(files, camera)):
        if isinstance(found, MagicnnError):
            failed.append(found)
            typer.echo(f"magicnn: {found}", err=True)
        else:
            typer.echo(("\n" if number else "") + found)
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _draw(files: list[Path], number: int, output: Path, camera: str | None) -> None:
    """Draw one event of files that belong together."""
    from magicnn.io import open_events
    from magicnn.io.formats import expand_paths, recognise
    from magicnn.io.mars.names import partner_path
    from magicnn.report.event_picture import require_picture_name, save_event

    require_picture_name(output)
    paths = expand_paths(files)
    kind = recognise(paths[0]).kind
    options: dict[str, Any] = {} if camera is None else {"camera": camera}
    if kind == "mars":
        if len(paths) == 1 and partner_path(paths[0]).is_file():
            paths = list(dict.fromkeys([paths[0], partner_path(paths[0])]))
        options["require_stereo"] = False
    reader = open_events(paths, kind, **options)
    if number >= len(reader):
        raise InputError(f"{paths[0]}: there is no event {number}; the last of {len(reader)} is {len(reader) - 1}")
    event = reader.read(number, number + 1)
    save_event(event, output)
    typer.echo(f"{output}: event {event['event_id'][0]} of run {event['run_id'][0]}")


def _described(given: list[Path], camera: str | None) -> Iterator[str | MagicnnError]:
    """Descriptions of all files, and the errors of those that cannot be read."""
    from magicnn.io.formats import expand_paths

    for item in given:
        try:
            paths = _of_folder(item) if item.is_dir() else expand_paths(item)
        except MagicnnError as error:
            yield error
            continue
        except OSError as error:
            yield InputError(f"{item}: cannot be opened ({error.strerror})")
            continue
        for path in paths:
            try:
                yield _describe(path, camera)
            except MagicnnError as error:
                yield error


def _of_folder(folder: Path) -> list[Path]:
    """Files to describe in a folder; the state of an unfinished training is nobody's result."""
    present = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    present = [p for p in present if not p.name.endswith(".state.pt")]
    files = [p for p in present if _is_described(p)]
    if not files:
        raise InputError(
            f"{folder}: no files to describe in this folder (looked for {', '.join(_SUFFIXES)}, sim_telarray, CORSIKA)"
        )
    if len(files) < len(present):
        _log.info("%s: %d of %d files passed over, of no known kind", folder, len(present) - len(files), len(present))
    return files


def _is_described(path: Path) -> bool:
    from magicnn.io.ctapipe.source import is_corsika, is_sim_telarray
    from magicnn.io.root.files import check_regular_file

    if path.suffix in _SUFFIXES:
        return True
    try:
        head = check_regular_file(path)
    except InputError:
        return False
    return is_corsika(path, head) or is_sim_telarray(path, head)


def _describe(path: Path, camera: str | None) -> str:
    from magicnn.baselines.forest_files import FORESTS_MAGIC
    from magicnn.io.describe import as_text, describe
    from magicnn.io.root.files import check_regular_file

    head = check_regular_file(path)
    if camera is not None:
        return describe(path, camera=camera)
    if head.startswith(FORESTS_MAGIC) or path.suffix == ".joblib":
        return as_text(path, _forest_lines(path))
    if head.startswith(b"PK") or path.suffix == ".pt":
        return as_text(path, _network_lines(path))
    if _is_lookup(path, head):
        return as_text(path, _lookup_lines(path))
    return describe(path)


def _network_lines(path: Path) -> list[tuple[str, str]]:
    from magicnn.nn.checkpoint import load_description

    model, provenance = load_description(path)
    best = min(model.history, key=lambda entry: entry["validation_loss"], default={})
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in best.items() if name.startswith("validation"))
    return [
        ("kind", "network"),
        ("estimates", ", ".join(model.heads)),
        ("architecture", f"{model.network.architecture}{_words(model.network.arguments, ' (', ')')}"),
        ("telescopes", ", ".join(model.telescopes)),
        ("camera", f"{model.camera_name} ({model.camera_fingerprint})"),
        ("channels", ", ".join(model.inputs.channels)),
        ("auxiliary inputs", ", ".join(model.inputs.auxiliary)),
        ("trained on readout", str(model.readout)),
        ("trained at zenith", str(model.zenith)),
        ("training", _words(model.training.model_dump(mode="json"))),
        ("epochs", f"{len(model.history)}, best {best['epoch']:.0f} ({numbers})" if best else ""),
        *_origin(provenance),
    ]


def _forest_lines(path: Path) -> list[tuple[str, str]]:
    from magicnn.baselines.forest_files import kind_in_words, read_header
    from magicnn.readout import Readout
    from magicnn.zenith import ZenithRange

    header = read_header(path)
    record = dict(header["record"])
    readout = Readout.from_mapping(record.pop("readout", None))
    zenith = ZenithRange.from_mapping(record.pop("zenith", None))
    return [
        ("kind", kind_in_words(header["kind"])),
        ("trained on readout", str(readout)),
        ("trained at zenith", str(zenith)),
        *((name, _in_words(value)) for name, value in record.items()),
        *_origin(header["provenance"]),
    ]


def _is_lookup(path: Path, head: bytes) -> bool:
    from magicnn.baselines.lookup import LOOKUP_FORMAT
    from magicnn.io.eventset.layout import open_hdf5

    if not head.startswith(b"\x89HDF"):
        return False
    with open_hdf5(path) as file:
        return bool(file.attrs.get("format") == LOOKUP_FORMAT)


def _lookup_lines(path: Path) -> list[tuple[str, str]]:
    import json

    import h5py

    from magicnn.baselines.lookup import EnergyLookup

    lookup = EnergyLookup.load(path)
    with h5py.File(path, "r") as file:
        provenance = json.loads(file["record"][()])["provenance"]
    edges = lookup.settings.zenith_edges_deg
    filled = [
        f"{low:g} to {high:g} deg: {n}" for low, high, n in zip(edges[:-1], edges[1:], lookup.n_filled, strict=True)
    ]
    return [
        ("kind", "energy lookup tables"),
        ("telescopes", str(len(lookup.tables[0]))),
        ("trained on readout", str(lookup.readout)),
        ("trained at zenith", str(lookup.zenith)),
        ("filled cells", ", ".join(filled)),
        ("settings", _words(lookup.settings.model_dump(mode="json"))),
        *_origin(provenance),
    ]


def _origin(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    from magicnn.summary import written_lines

    return [*written_lines(provenance), ("versions", _words(provenance.get("versions", {})))]


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return _words(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _words(values: Mapping[str, Any], before: str = "", after: str = "") -> str:
    text = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{before}{text}{after}" if text else ""
