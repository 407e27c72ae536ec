"""The comparison as stages: what each does, what it needs, and what it leaves behind."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from magicnn.baselines.suite import baseline_files
from magicnn.config import dump_settings
from magicnn.errors import ConfigError, nearest_names
from magicnn.pipeline import work
from magicnn.pipeline.layout import RunLayout
from magicnn.pipeline.reporting import write_report
from magicnn.pipeline.settings import PARTICLES, ComparisonSettings
from magicnn.pipeline.stages import Stage, execute, stage_settings, stage_states
from magicnn.runs import atomic_path, checksum, log_to_file
from magicnn.simulation.settings import ProductionSettings, settings_from_yaml

__all__ = ["comparison_stages", "describe_plan", "run_comparison"]

_LOG = logging.getLogger(__name__)

REAL = "real"
_TRAINED = ("baselines", "classifier", "energy")


def run_comparison(
    settings: ComparisonSettings,
    output: Path | str,
    *,
    real_files: Sequence[Path] = (),
    workers: int | None = None,
    device: str = "auto",
    update: bool = False,
    drop_real: bool = False,
) -> Path:
    """Do the whole comparison, or what is left of it.

    Parameters
    ----------
    settings : ComparisonSettings
        What to do.
    output : path
        Run directory. Killed at any moment, the same call continues it and ends in the same result.
    real_files : sequence of Path
        Real MAGIC files of both telescopes to predict on. When none are given, those of an earlier call stay: their
        events lie in the run directory, and what depends on changed settings is made anew for them, too.
    workers : int, optional
        Processes of the simulation; one per core when not given. Does not change the result.
    device : str
        Where networks run.
    update : bool
        Do again what changed settings touch, instead of refusing.
    drop_real : bool
        Remove the real events of an earlier call and what was predicted for them.

    Returns
    -------
    Path
        The report, ``report/index.html``.

    Raises
    ------
    ConfigError
        A setting is wrong, the directory holds a run with other settings and ``update`` is False, or real files are
        to be both read and dropped.
    InputError
        A real file cannot be used.
    """
    layout = RunLayout(Path(output))
    stages = comparison_stages(
        settings, layout, real_files=real_files, workers=workers, device=device, drop_real=drop_real
    )
    kept = _kept_real(layout, stages, real_files)
    if kept:
        _LOG.info("%s", kept)

    with contextlib.ExitStack() as stack:

        def begin() -> None:
            _check_early(settings, real_files, device)
            stack.enter_context(log_to_file(layout.root / "log.txt"))
            with atomic_path(layout.config) as partial_file:
                partial_file.write_text(dump_settings(settings), encoding="utf-8")

        done = execute(stages, layout.root, update=update, dropped=_dropped(settings, layout, stages), on_start=begin)
    page = layout.report / "index.html"
    _LOG.info("%s: %s", "finished" if done else "nothing left to do", page)
    return page


def describe_plan(
    settings: ComparisonSettings,
    output: Path | str,
    *,
    real_files: Sequence[Path] = (),
    device: str = "auto",
    drop_real: bool = False,
) -> str:
    """Say what `run_comparison` would do: effective settings and the list of stages, with those done already.

    Parameters and errors are those of `run_comparison`; settings that a finished stage contradicts are marked.
    """
    layout = RunLayout(Path(output))
    stages = comparison_stages(settings, layout, real_files=real_files, device=device, drop_real=drop_real)
    _check_early(settings, real_files, device)
    states = stage_states(stages, layout.root)
    n_done = sum(state == "done" for state in states.values())
    lines = [dump_settings(settings), f"# {len(stages)} stages in {output}, {n_done} of them done:"]
    for stage in stages:
        is_refused = states[stage.name] == "changed" and not stage.is_cheap
        remark = " (done with other settings: needs --update, or another --output)" if is_refused else ""
        lines.append(f"#   {'done ' if states[stage.name] == 'done' else 'to do'}  {stage.title}{remark}")
    kept = _kept_real(layout, stages, real_files)
    if kept:
        lines.append(f"# {kept}")
    left = [path for stage in _dropped(settings, layout, stages) for path in stage.outputs if path.exists()]
    if left:
        lines.append(f"# of the real files of an earlier call, these would be removed: {', '.join(map(str, left))}")
    return "\n".join(lines)


def comparison_stages(
    settings: ComparisonSettings,
    layout: RunLayout,
    *,
    real_files: Sequence[Path] = (),
    workers: int | None = None,
    device: str = "auto",
    drop_real: bool = False,
) -> list[Stage]:
    """List the stages in order; parameters and errors as for `run_comparison`."""
    if drop_real and real_files:
        raise ConfigError("real files are both given and to be dropped: leave out --real, or --drop-real")
    plain = settings.model_dump(mode="json")
    names = [f"{particle}_{zenith}" for zenith in settings.zenith_ranges for particle in PARTICLES]
    stages = [
        stage
        for name in names
        for stage in _production_stages(name, _production(settings, name), settings, layout, workers)
    ]
    features = tuple(f"features_{name}" for name in names)
    shared = {"seed": settings.seed, "test_fraction": settings.test_fraction, "quality": plain["quality"]}
    stages.append(
        Stage(
            "baselines",
            "fit DISP, lookup tables, forests and classical methods"
            if settings.baselines.classical.methods
            else "fit DISP, lookup tables and forests",
            partial(work.fit_baselines, settings, layout, names),
            tuple(layout.models / n for n in baseline_files(settings.baselines.classical.methods)),
            {**shared, "baselines": plain["baselines"]},
            features,
        )
    )
    for task in ("classifier", "energy"):
        stages.append(
            Stage(
                task,
                f"train the network for {'gamma/hadron' if task == 'classifier' else 'energy'}",
                partial(work.train_network, settings, layout, names, task, device),
                (layout.models / f"{task}.pt",),
                {**shared, task: plain[task]},
                ("baselines", *features),
            )
        )
    applied = {**shared, "predict": plain["predict"]}
    stages.append(
        Stage(
            "predictions",
            "predict with every method",
            partial(work.predict, settings, layout, names, device),
            tuple(layout.predictions(m, n) for m in work.methods_of(settings) for n in names),
            applied,
            _TRAINED,
        )
    )
    read = _read_stage(layout, real_files)
    with_real = bool(real_files) or (not drop_real and stage_states([read], layout.root)[read.name] == "done")
    if with_real:
        stages += [read, *_real_stages(settings, layout, device, applied)]
    stages.append(
        Stage(
            "evaluation",
            "evaluate",
            partial(work.judge, settings, layout, names),
            (layout.report / "metrics.ecsv", layout.report / "metrics.json"),
            {"evaluation": plain["evaluation"]},
            ("predictions",),
        )
    )
    before = tuple(stage.name for stage in stages)
    stages.append(
        Stage(
            "report",
            "write the report",
            partial(write_report, settings, layout, names, REAL if with_real else None, before),
            (layout.report / "index.html",),
            {
                "title": settings.title,
                "response": plain["response"],
                "signal": plain["signal"] if with_real else None,
            },
            before,
            is_cheap=True,
        )
    )
    return stages


def _production(settings: ComparisonSettings, name: str) -> ProductionSettings:
    overrides = [f"{key}={value}" for key, value in _dotted(settings.production)]
    return settings_from_yaml(settings.mc_configs / f"{name}.yaml", overrides)


def _dotted(values: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested settings with dotted names, so that one of a group can be changed alone."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{group}{key}.")
        else:
            yield f"{group}{key}", value


def _production_stages(
    name: str, production: ProductionSettings, settings: ComparisonSettings, layout: RunLayout, workers: int | None
) -> tuple[Stage, Stage]:
    counts: Mapping[str, Any] = settings.events.model_dump()
    n_events = counts[name.rsplit("_", 1)[0]]
    simulate = Stage(
        f"simulate_{name}",
        f"simulate {name}",
        partial(work.simulate, production, layout, name, n_events, settings.seed, workers),
        (layout.events(name),),
        {"production": production.model_dump(mode="json"), "n_events": n_events, "seed": settings.seed},
    )
    features = Stage(
        f"features_{name}",
        f"image parameters of {name}",
        partial(work.parametrise, settings, layout, name),
        (layout.features(name),),
        {"features": settings.features.model_dump(mode="json")},
        (simulate.name,),
    )
    return simulate, features


def _read_stage(layout: RunLayout, files: Sequence[Path]) -> Stage:
    """Read the real files; without any, the stage as an earlier call did it."""
    checksums = sorted(checksum(f) for f in files) or stage_settings(layout.root, REAL).get("files", [])
    return Stage(
        REAL,
        "read the real files",
        partial(work.read_real, layout, REAL, files),
        (layout.events(REAL),),
        {"files": checksums},
        is_cheap=True,
    )


def _real_stages(
    settings: ComparisonSettings, layout: RunLayout, device: str, applied: Mapping[str, Any]
) -> tuple[Stage, Stage]:
    features = Stage(
        f"features_{REAL}",
        "image parameters of the real events",
        partial(work.parametrise, settings, layout, REAL),
        (layout.features(REAL),),
        {"features": settings.features.model_dump(mode="json")},
        (REAL,),
        is_cheap=True,
    )
    predict = Stage(
        "real_predictions",
        "predict the real events with every method",
        partial(work.predict_real, settings, layout, REAL, device),
        tuple(layout.predictions(m, REAL) for m in work.methods_of(settings)),
        applied,
        (features.name, *_TRAINED),
        is_cheap=True,
    )
    return features, predict


def _kept_real(layout: RunLayout, stages: Sequence[Stage], real_files: Sequence[Path]) -> str | None:
    """Say that real events of an earlier call stay part of the run."""
    kept = [stage for stage in stages if stage.name == REAL and not real_files]
    if not kept:
        return None
    n_files = len(kept[0].settings["files"])
    return f"{layout.root}: keeps the {n_files} real files of an earlier call; --drop-real removes them"


def _dropped(settings: ComparisonSettings, layout: RunLayout, stages: Sequence[Stage]) -> Sequence[Stage]:
    """Stages for real events of an earlier call that are not among the stages: what they left would stay unnoticed."""
    if any(stage.name == REAL for stage in stages):
        return ()
    return (_read_stage(layout, ()), *_real_stages(settings, layout, "cpu", {}))


def _check_early(settings: ComparisonSettings, real_files: Sequence[Path], device: str) -> None:
    """Find the mistakes that would otherwise end a job hours after its start."""
    from magicnn.io import open_events
    from magicnn.nn.auxiliary import AuxiliaryLayout
    from magicnn.nn.registry import list_models
    from magicnn.nn.trainer import choose_device

    choose_device(device)
    if real_files:
        open_events(list(real_files))
    for model in (settings.classifier, settings.energy):
        AuxiliaryLayout.of(model.inputs.auxiliary, ("M1", "M2"))
        if model.network.architecture not in list_models():
            name = model.network.architecture
            raise ConfigError(f"no network architecture {name!r}; {nearest_names(name, list_models())}")
