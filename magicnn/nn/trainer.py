"""The training loop: one network from labelled events, the same result whenever and however often it is interrupted."""

from __future__ import annotations

import contextlib
import copy
import csv
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from magicnn.errors import CheckpointError, ConfigError, InputError
from magicnn.generated import direction_bias
from magicnn.nn.auxiliary import AuxiliaryLayout
from magicnn.nn.checkpoint import (
    ModelDescription,
    TrainedModel,
    build_model,
    load_model,
    load_state,
    save_model,
    save_state,
)
from magicnn.nn.data import LabelledEvents, Sample, Source, derived_seed, epoch_batches, load_labelled, split_sample
from magicnn.nn.distributed import Ranks, joined_ranks
from magicnn.nn.model import EventModel, Normalisation
from magicnn.nn.objective import evaluate, image_precision, loss_of
from magicnn.nn.settings import ModelSettings, TrainingSettings
from magicnn.readout import Readout
from magicnn.runs import atomic_path, content_hash, progress

__all__ = ["choose_device", "learning_rate_factor", "train", "train_on"]

_LOG = logging.getLogger(__name__)
_MAPPED_BLOCK = 256


def choose_device(name: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Of several processes that torchrun started on a machine each gets a CUDA device of its own, unless one is named.

    Raises
    ------
    ConfigError
        The name is unknown, or there is no such device on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def train(
    sources: Sequence[Source],
    output: Path | str,
    *,
    settings: ModelSettings,
    device: str = "auto",
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainedModel:
    """Train a network on event sets and write its model file.

    Parameters
    ----------
    sources : sequence of Source
        Simulated events with their feature tables.
    output : path
        Model file. Beside it lie ``<stem>.history.csv`` and, until the training is done, ``<stem>.state.pt``, from
        which the same call goes on.
    settings : ModelSettings
        What the network sees, its shape, how it is trained.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Of the processes that torchrun starts each holds the events and takes
        its share of every batch; the first one writes.
    on_epoch : callable, optional
        Called with the entry of the history after each epoch, once its state is safe on disk.

    Returns
    -------
    TrainedModel
        With the weights of the best epoch.

    Raises
    ------
    InputError
        The events do not fit together, or a class is missing.
    CheckpointError
        The output belongs to other settings or events.
    """
    biased = direction_bias([source.events.meta.generated for source in sources])
    if biased and "particle" in settings.training.heads:
        _LOG.warning("%s", biased)
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.stem}.", dir=output.parent) as scratch:
        resident = settings.training.resident_events
        data = load_labelled(sources, settings.inputs, resident_events=resident, scratch=Path(scratch))
        return train_on(data, output, settings=settings, device=device, on_epoch=on_epoch)


def train_on(
    data: LabelledEvents,
    output: Path,
    *,
    settings: ModelSettings,
    device: str = "auto",
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainedModel:
    """Train a network on prepared events; parameters and errors as for `train`."""
    where = choose_device(device)
    training = settings.training
    key = content_hash([settings.model_dump(mode="json"), data.meta.camera.fingerprint, data.digest])
    finished = _finished(output, key, data, where)
    if finished is not None:
        return finished
    with _repeatable(training.threads), joined_ranks(where) as ranks:
        ranks.require_same(key, "the processes of torchrun have different events or settings")
        fitting, validation = split_sample(data, training, where)
        description = _description(fitting, settings, key)
        with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
            torch.manual_seed(derived_seed(training.seed, "weights"))
            model = build_model(description, data.meta.camera, data.meta.telescopes).to(where)
        _LOG.info(
            "training %s on %d events, validating on %d, %d parameters, on %s%s",
            " and ".join(training.heads),
            len(fitting.rows),
            len(validation.rows),
            sum(p.numel() for p in model.parameters()),
            where,
            f" and {ranks.number - 1} more" if ranks.number > 1 else "",
        )
        history = _fit(model, fitting, validation, training, output, key, on_epoch, ranks)
        description = replace(description, history=tuple(history))
        if ranks.is_first:
            save_model(output, model, description)
            _state_path(output).unlink(missing_ok=True)
    return TrainedModel(model.eval(), description)


def learning_rate_factor(step: int, *, steps_per_epoch: int, settings: TrainingSettings) -> float:
    """Learning rate of a step relative to its peak: a linear rise, then half a cosine to the final one."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    total = settings.epochs * steps_per_epoch
    done = min(1.0, (step - warmup) / max(1.0, total - warmup))
    low = settings.final_learning_rate
    return low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * done))


def _fit(
    model: EventModel,
    fitting: Sample,
    validation: Sample,
    training: TrainingSettings,
    output: Path,
    key: str,
    on_epoch: Callable[[Mapping[str, float]], None] | None,
    ranks: Ranks,
) -> list[dict[str, float]]:
    """Run the epochs that are missing; leave the best weights in the model and return the history."""
    optimiser = torch.optim.AdamW(_parameter_groups(model, training), lr=training.learning_rate)
    average = copy.deepcopy(model)
    history: list[dict[str, float]] = []
    best_weights = _weights(average)
    state = load_state(_state_path(output), key)
    if state is not None:
        model.load_state_dict(state["weights"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        history, best_weights = state["history"], state["best_weights"]
        _LOG.info("going on after epoch %d", len(history))
    ranks.require_same(len(history), f"the processes of torchrun see different files at {output.parent}")
    n_steps = -(-len(fitting.rows) // training.batch_size)
    if len(fitting.rows) // n_steps < ranks.number:
        raise ConfigError(f"{ranks.number} processes share batches of {training.batch_size} events: too few")
    shared = ranks.joined(model)
    with progress(total=training.epochs, description="train", unit="epoch") as bar:
        bar.update(len(history))
        while len(history) < training.epochs and not _is_over(history, training.patience):
            epoch = len(history)
            started = time.monotonic()
            train_loss = _train_epoch(model, shared, average, optimiser, fitting, training, epoch, n_steps, ranks)
            validated = ranks.agreed(evaluate(average, validation, training) if ranks.is_first else {})
            entry = {"epoch": epoch + 1, "train_loss": train_loss, **validated}
            entry["learning_rate"] = optimiser.param_groups[0]["lr"]
            if not math.isfinite(train_loss):
                raise InputError(f"training diverged in epoch {epoch + 1}; try a smaller training.learning_rate")
            if all(entry["validation_loss"] < h["validation_loss"] for h in history):
                best_weights = _weights(average)
            history.append(entry)
            if ranks.is_first:
                save_state(
                    _state_path(output),
                    {
                        "key": key,
                        "weights": _weights(model),
                        "average": _weights(average),
                        "optimiser": optimiser.state_dict(),
                        "history": history,
                        "best_weights": best_weights,
                    },
                )
                _write_history(output, history)
            seconds = time.monotonic() - started
            shown = {n: f"{v:.4f}" for n, v in entry.items() if n not in ("epoch", "learning_rate")}
            bar.set_postfix(shown, refresh=False)
            bar.update()
            _LOG.debug("epoch %d: %s, %.0f events/s", epoch + 1, shown, len(fitting.rows) / seconds)
            if on_epoch is not None and ranks.is_first:
                on_epoch(entry)
    model.load_state_dict(best_weights)
    return history


def _train_epoch(
    model: EventModel,
    shared: nn.Module,
    average: EventModel,
    optimiser: torch.optim.Optimizer,
    fitting: Sample,
    training: TrainingSettings,
    epoch: int,
    n_steps: int,
    ranks: Ranks,
) -> float:
    """One pass over the training events; ``shared`` is the model as all processes train it; returns the mean loss."""
    model.train()
    parameters: list[Tensor] = list(model.parameters())
    averaged: list[Tensor] = list(average.parameters())
    total, step = 0.0, epoch * n_steps
    block = _MAPPED_BLOCK if fitting.events.is_mapped else 1
    autocast = image_precision(training, fitting.device)
    with torch.random.fork_rng(devices=[fitting.device] if fitting.device.type == "cuda" else []):
        # so that an epoch depends on nothing before it; each process drops other parts
        torch.manual_seed(derived_seed(training.seed, "dropout", epoch) + ranks.rank)
        for whole, turns in epoch_batches(
            fitting.rows, training.batch_size, seed=training.seed, epoch=epoch, block=block
        ):
            factor = learning_rate_factor(step, steps_per_epoch=n_steps, settings=training)
            for group in optimiser.param_groups:
                group["lr"] = training.learning_rate * factor
            rows = ranks.share(whole)
            symmetry = None
            if training.augment:
                symmetry = (ranks.share(turns) * model.n_symmetries).to(torch.int64).to(fitting.device)
            events = fitting.events.events.select(rows, fitting.device)
            estimates = shared(events, symmetry, autocast=autocast)
            of_all = whole if ranks.number > 1 else None
            loss = loss_of(estimates, model, fitting, rows, training, whole=of_all)
            optimiser.zero_grad(set_to_none=True)
            # the mean over the processes, which `shared` takes, becomes the gradient of the whole batch
            torch.autograd.backward(loss * ranks.number)
            nn.utils.clip_grad_norm_(parameters, training.clip_norm)
            optimiser.step()
            step += 1
            with torch.no_grad():
                # a short memory at first, when the weights move fast
                keep = min(training.ema_decay, step / (step + 10.0))
                torch._foreach_lerp_(averaged, parameters, 1.0 - keep)
            total += float(loss.detach()) * len(whole)
    return ranks.sum(total) / len(fitting.rows)


def _description(fitting: Sample, settings: ModelSettings, key: str) -> ModelDescription:
    data, meta = fitting.events, fitting.events.meta
    is_gamma = data.is_gamma.numpy()[fitting.rows] > 0.5
    return ModelDescription(
        camera_name=meta.camera.name,
        camera_fingerprint=meta.camera.fingerprint,
        telescopes=meta.telescopes,
        inputs=settings.inputs,
        network=settings.network,
        training=settings.training,
        normalisation=Normalisation.of(
            data.events.auxiliary.cpu().numpy()[fitting.rows],
            AuxiliaryLayout.of(settings.inputs.auxiliary, meta.telescopes),
            bins=settings.inputs.encoding_bins,
            log_energy=data.log_energy.numpy()[fitting.rows[is_gamma]],
        ),
        key=key,
        readout=Readout.of(meta),
        zenith=data.zenith,
    )


def _parameter_groups(model: nn.Module, training: TrainingSettings) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases, norms and scales."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _is_over(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    losses = [entry["validation_loss"] for entry in history]
    return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: values.detach().cpu().clone() for name, values in model.state_dict().items()}


def _state_path(output: Path) -> Path:
    return output.with_name(f"{output.stem}.state.pt")


def _write_history(output: Path, history: Sequence[Mapping[str, float]]) -> None:
    with (
        atomic_path(output.with_name(f"{output.stem}.history.csv")) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _finished(output: Path, key: str, data: LabelledEvents, device: torch.device) -> TrainedModel | None:
    """The model, when the output already holds the one that is asked for."""
    if not output.exists():
        return None
    trained = load_model(output, data.meta, device=device)
    if trained.description.key != key:
        raise CheckpointError(f"{output}: a model with other settings or events is there; give another output")
    _LOG.info("%s: already trained", output)
    return trained


@contextlib.contextmanager
def _repeatable(threads: int) -> Iterator[None]:
    """Fix the number of threads and ask for repeatable algorithms while training."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=True)
