"""Every registered network: shapes, gradients, other cameras, missing telescopes; losses against their formulas."""

import math

import numpy as np
import pytest
import torch

from magicnn.camera import Camera
from magicnn.errors import ConfigError
from magicnn.events import EventBatch
from magicnn.nn.inputs import prepare_events
from magicnn.nn.losses import energy_loss, particle_loss
from magicnn.nn.model import EventModel, Normalisation
from magicnn.nn.registry import create_model, list_models, register
from magicnn.nn.settings import InputSettings, NetworkSettings

N_PIXELS_ONLY = 11
PLAIN = Normalisation(mean=(0.0,) * N_PIXELS_ONLY, scale=(30.0,) * N_PIXELS_ONLY)


def model_for(camera, name, inputs):
    torch.manual_seed(1)
    network = NetworkSettings(architecture=name, hidden=16, dropout=0.0, image_dropout=0.0)
    return EventModel(camera, ("M1", "M2"), inputs, network, ["particle", "energy"], PLAIN)


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("crop_radius", [None, 5])
@pytest.mark.parametrize("which", ["MAGIC", "217 pixels"])
def test_forward_and_backward(name, crop_radius, which, make_camera, make_events, pixels_only):
    camera = Camera.magic() if which == "MAGIC" else make_camera(8, turn_deg=10.0)
    events = make_events(6, camera=camera)
    inputs = InputSettings(auxiliary=pixels_only, crop_radius=crop_radius)
    model = model_for(camera, name, inputs)
    found = model(prepare_events(events, None, inputs), torch.arange(6))
    assert found["particle"].shape == (6,)
    assert found["energy"].shape == (6, 2)
    for head in model.network.heads.values():
        torch.nn.init.normal_(head.weight)
    found = model(prepare_events(events, None, inputs))
    (found["particle"].sum() + found["energy"].square().sum()).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert silent == []
    assert all(p.grad.abs().sum() > 0 for n, p in model.named_parameters() if n.endswith("weight"))


@pytest.mark.parametrize("name", list_models())
def test_images_of_a_missing_telescope_do_not_matter(name, small_events, pixels_only):
    inputs = InputSettings(auxiliary=pixels_only, crop_radius=5)
    model = model_for(small_events.meta.camera, name, inputs).eval()
    for head in model.network.heads.values():
        torch.nn.init.normal_(head.weight)
    batch = small_events.select(slice(0, 8))
    charge, time = batch.charge.copy(), batch.time.copy()
    charge[:, 1], time[:, 1] = np.nan, np.nan
    mono = prepare_events(EventBatch(charge, time, batch.columns, batch.meta), None, inputs)
    stereo = prepare_events(batch, None, inputs)
    first = model(mono)["particle"]
    assert torch.isfinite(first).all()
    assert not torch.allclose(first, model(stereo)["particle"])
    mono.charge[:, 1] = 1000.0
    torch.testing.assert_close(model(mono)["particle"], first, rtol=0, atol=0)


def test_batch_composition_does_not_matter(small_events, pixels_only):
    inputs = InputSettings(auxiliary=pixels_only, crop_radius=5)
    model = model_for(small_events.meta.camera, "hex_resnet", inputs).eval()
    for head in model.network.heads.values():
        torch.nn.init.normal_(head.weight)
    prepared = prepare_events(small_events.select(slice(0, 16)), None, inputs)
    together = model(prepared)["energy"]
    alone = model(prepared.select(torch.tensor([5])))["energy"]
    torch.testing.assert_close(together[5:6], alone, rtol=1e-4, atol=1e-5)


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(ConfigError, match=r"unknown architecture 'hex_resnt': did you mean 'hex_resnet'"):
        create_model("hex_resnt", 3)
    with pytest.raises(ConfigError, match=r"no argument 'width': did you mean 'widths'"):
        create_model("hex_resnet", 3, width=8)
    with pytest.raises(ConfigError, match="positive widths"):
        create_model("hex_resnet", 3, widths=[])
    with pytest.raises(ValueError, match="already registered"):
        register(next(f for f in [hex_resnet_again]))


def hex_resnet_again():
    """Stand in for a second factory of the same name."""


hex_resnet_again.__name__ = "hex_resnet"


def test_particle_loss_is_the_weighted_cross_entropy():
    logit, label = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([1.0, 0.0, 0.0])
    weight = torch.tensor([2.0, 1.0, 0.0])
    gamma, hadron = 1 / (1 + math.exp(-0.3)), 1 / (1 + math.exp(1.2))
    expected = (2 * -math.log(gamma) - math.log(1 - hadron)) / 3
    assert float(particle_loss(logit, label, weight)) == pytest.approx(expected, rel=1e-6)
    smooth = (
        2 * (-0.9 * math.log(gamma) - 0.1 * math.log(1 - gamma)) - 0.9 * math.log(1 - hadron) - 0.1 * math.log(hadron)
    ) / 3
    assert float(particle_loss(logit, label, weight, smoothing=0.1)) == pytest.approx(smooth, rel=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_energy_loss_is_least_at_the_true_mean_and_spread(kind):
    """The likelihood of a sample is largest at its own mean (median) and variance."""
    generator = np.random.default_rng(5)
    sample = generator.normal(0.4, 0.3, 40_000) if kind == "gaussian" else generator.laplace(0.4, 0.3, 40_000)
    truth = torch.from_numpy(sample).float()
    variance = 0.09 if kind == "gaussian" else 0.18
    estimate = torch.tensor([0.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([estimate], max_iter=60, tolerance_grad=1e-7)

    def closure():
        optimiser.zero_grad()
        loss = energy_loss(estimate.expand(len(truth), 2), truth, torch.ones_like(truth), kind=kind)
        loss.backward()
        return loss

    optimiser.step(closure)
    mean, log_variance = estimate.tolist()
    assert mean == pytest.approx(0.4, abs=0.01)
    assert math.exp(log_variance) == pytest.approx(variance, rel=0.03)


def test_energy_loss_ignores_events_without_weight():
    estimate = torch.zeros(2, 2)
    loss = energy_loss(estimate, torch.tensor([1.0, math.nan]), torch.tensor([1.0, 0.0]))
    assert float(loss) == pytest.approx(0.5)
    weighted = energy_loss(
        estimate + math.log(4.0), torch.tensor([math.log(4.0)] * 2), torch.ones(2), variance_weight=0.5
    )
    assert float(weighted) == pytest.approx(2.0 * 0.5 * math.log(4.0))
