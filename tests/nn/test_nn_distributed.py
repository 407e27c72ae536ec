"""Two processes of torchrun train the network that one process does."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from magicnn.io.eventset.reader import EventSetWriter
from magicnn.nn.checkpoint import load_model

SETTINGS = """
inputs: {auxiliary: [cos_zenith, baseline, field, centre, has_image], crop_radius: 5}
network: {hidden: 16, fusion_blocks: 1, dropout: 0.0, image_dropout: 0.0, arguments: {stem: 4, widths: [8]}}
training: {heads: [particle, energy], epochs: 3, threads: 1, batch_size: 32, validation_fraction: 0.25}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_events):
    folder = tmp_path_factory.mktemp("ranks")
    with EventSetWriter(folder / "events.h5", small_events.meta) as writer:
        writer.append(small_events)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


def words(folder, output, *more):
    return [
        *("-m", "magicnn", "train", str(folder / "events.h5"), "--config", str(folder / "settings.yaml")),
        *("--output", str(output), "--device", "cpu", *more),
    ]


def torchrun(number, arguments, **options):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def alone(arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


@pytest.mark.slow
def test_two_processes_train_as_one_does(folder, tmp_path, small_events):
    said = alone(words(folder, tmp_path / "one.pt")).stdout
    process = torchrun(2, words(folder, tmp_path / "two.pt"))
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert output.count("best of 3 epochs") == 1, "the first process alone speaks"
    assert output.replace("two.pt", "one.pt") == said
    one, two = (load_model(tmp_path / f"{name}.pt", small_events.meta) for name in ("one", "two"))
    assert one.description.key == two.description.key
    for first, second in zip(one.description.history, two.description.history, strict=True):
        assert first == pytest.approx(second, rel=1e-3)
    weights = [dict(trained.model.named_parameters()) for trained in (one, two)]
    for name, values in weights[0].items():
        torch.testing.assert_close(values, weights[1][name], rtol=1e-2, atol=1e-3, msg=name)


@pytest.mark.slow
def test_a_terminated_training_continues_with_another_number_of_processes(folder, tmp_path):
    long = ("--set", "training.epochs=100", "--set", "training.patience=100", "--set", "training.heads=[energy]")
    output = tmp_path / "model.pt"
    process = torchrun(2, words(folder, output, *long))
    history = tmp_path / "model.history.csv"
    deadline = time.monotonic() + 120
    while not (history.exists() and len(history.read_text().splitlines()) > 4):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not output.exists()
    before = history.read_text().splitlines()
    alone(words(folder, output, *long))
    after = history.read_text().splitlines()
    assert len(after) == 101
    assert after[: len(before)] == before


@pytest.mark.slow
def test_too_few_events_for_the_processes(folder, tmp_path):
    process = torchrun(3, words(folder, tmp_path / "model.pt", "--set", "training.batch_size=2"))
    errors = process.communicate(timeout=300)[1]
    assert process.returncode != 0
    assert "magicnn: 3 processes share batches of 2 events: too few" in errors
