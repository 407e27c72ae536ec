"""Prepared inputs: exact cuts and turns, channels, missing telescopes, auxiliary inputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from magicnn.array import Site, TelescopeArray, projected_baseline_m
from magicnn.errors import ConfigError, InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.hexgrid import HexGrid
from magicnn.images.features import FeatureTable, extract_features
from magicnn.nn.auxiliary import AUXILIARY, AuxiliaryLayout, auxiliary_values, required_columns
from magicnn.nn.inputs import ImageArranger, prepare_events
from magicnn.nn.model import EventModel, Normalisation
from magicnn.nn.settings import DEFAULT_AUXILIARY, InputSettings, NetworkSettings

EXACT = {"charge_compression": "linear", "charge_scale_pe": 1.0}


def arrange(events, settings, symmetry=None, features=None):
    prepared = prepare_events(events, features, settings)
    arranger = ImageArranger(events.meta.camera, settings, events.meta.telescopes)
    turn = None if symmetry is None else torch.full((len(events),), symmetry)
    return *arranger(prepared, turn), prepared, arranger


def test_whole_camera_is_the_grid(magic_events, pixels_only):
    settings = InputSettings(channels=("charge",), auxiliary=pixels_only, crop_radius=None, **EXACT)
    images, mask, _, _ = arrange(magic_events, settings)
    grid = HexGrid(magic_events.meta.camera)
    expected = grid.to_grid(magic_events.charge.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(images[:, :, 0].numpy(), expected)
    np.testing.assert_array_equal(mask[0, 0, 0].numpy(), grid.mask)


def test_cut_is_a_window_of_the_whole_camera(magic_events, pixels_only):
    radius = 6
    common = {"auxiliary": pixels_only, "channels": ("charge", "time", "cleaned", "usable")}
    whole, whole_mask, prepared, _ = arrange(magic_events, InputSettings(crop_radius=None, **common))
    cut, cut_mask, _, _ = arrange(magic_events, InputSettings(crop_radius=radius, **common))
    camera, steps = magic_events.meta.camera, np.arange(-radius, radius + 1)
    inside = np.abs(steps[:, None] + steps[None, :]) <= radius
    low = camera.axial.min(axis=0)
    pad = [(0, 0), (radius, radius), (radius, radius)]
    for event in range(len(magic_events)):
        for telescope in range(2):
            q, r = camera.axial[prepared.centre[event, telescope]] - low
            window = np.s_[:, r : r + 2 * radius + 1, q : q + 2 * radius + 1]
            for found, source in ((cut, whole), (cut_mask, whole_mask)):
                expected = np.pad(source[event, telescope].numpy(), pad)[window] * inside
                np.testing.assert_array_equal(found[event, telescope].numpy(), expected)


@pytest.mark.parametrize("crop_radius", [None, 5])
def test_turning_the_input_is_turning_the_event(magic_events, crop_radius, pixels_only):
    """Images of an event whose pixels are permuted equal the prepared images turned, cut and all."""
    settings = InputSettings(auxiliary=pixels_only, crop_radius=crop_radius)
    grid = HexGrid(magic_events.meta.camera)
    for k, permutation in enumerate(grid.symmetries):
        turned = EventBatch(
            magic_events.charge[..., permutation],
            magic_events.time[..., permutation],
            magic_events.columns,
            magic_events.meta,
        )
        expected, expected_mask, expected_events, _ = arrange(turned, settings)
        images, mask, events, arranger = arrange(magic_events, settings, symmetry=k)
        centre = arranger.symmetries.target_pixels(events.centre, torch.full((len(magic_events),), k))
        same = (centre == expected_events.centre).all(dim=1)  # a centre of gravity may lie between two pixels
        assert same.float().mean() > 0.9
        torch.testing.assert_close(images[same], expected[same], rtol=0, atol=2e-3)
        torch.testing.assert_close(mask[same], expected_mask[same], rtol=0, atol=0)


def test_auxiliary_inputs_turn_as_those_of_the_turned_event(magic_events):
    """Vectors of a turned event follow from its images; those of the pointing turn by the matrix itself."""
    names = tuple(n for n in DEFAULT_AUXILIARY if n not in {"cos_zenith", "baseline", "field", "has_image"})
    local = tuple(n for n in names if n not in {"log_impact", "log_h_max"})  # these follow from the telescopes' places
    grid = HexGrid(magic_events.meta.camera)
    settings = InputSettings(auxiliary=local)
    layout = AuxiliaryLayout.of(local, ("M1", "M2"))
    table = extract_features(magic_events)
    values = prepare_events(magic_events, table.columns, settings).auxiliary
    plain = Normalisation(mean=(0.0,) * len(layout.names), scale=(1.0,) * len(layout.names))
    wide = settings.model_copy(update={"auxiliary_clip": 1e9})
    model = EventModel(magic_events.meta.camera, ("M1", "M2"), wide, NetworkSettings(), ["particle"], plain)
    assert torch.isfinite(values).all(dim=1).any()
    for k, permutation in enumerate(grid.symmetries):
        turned = EventBatch(
            magic_events.charge[..., permutation],
            magic_events.time[..., permutation],
            magic_events.columns,
            magic_events.meta,
        )
        expected = prepare_events(turned, extract_features(turned).columns, settings).auxiliary
        found = model.encoded(values, torch.full((len(values),), k))
        rows = torch.isfinite(values).all(dim=1) & torch.isfinite(expected).all(dim=1)
        is_centre = torch.tensor([n.startswith("centre") for n in layout.names])
        torch.testing.assert_close(found[rows][:, ~is_centre], expected[rows][:, ~is_centre], rtol=1e-3, atol=2e-4)


def test_matrices_turn_vectors_and_axes(magic_events):
    grid = HexGrid(magic_events.meta.camera)
    settings = InputSettings(auxiliary=("cos_zenith", "baseline", "axis"))
    arranger = ImageArranger(magic_events.meta.camera, settings, ("M1", "M2"))
    psi, zenith, azimuth = np.radians([20.0, -70.0]), 30.0, 100.0
    vector = projected_baseline_m(zenith, azimuth)
    axes = np.stack([np.cos(2 * psi), np.sin(2 * psi)], axis=-1).ravel()
    values = torch.from_numpy(np.concatenate([[0.5], vector, axes])).float()[None]
    for k, matrix in enumerate(grid.symmetry_matrices):
        turned = arranger.symmetries.turn_auxiliary(values, torch.tensor([k]))[0].numpy()
        assert turned[0] == 0.5
        np.testing.assert_allclose(turned[1:3], matrix @ vector, rtol=1e-5)
        for n, angle in enumerate(psi):
            x, y = matrix @ np.array([np.cos(angle), np.sin(angle)])
            expected = 2 * np.arctan2(y, x)
            np.testing.assert_allclose(turned[3 + 2 * n : 5 + 2 * n], [np.cos(expected), np.sin(expected)], atol=1e-6)


def test_time_is_relative_and_fades_with_the_charge(make_camera, make_events, pixels_only):
    camera = make_camera(4)
    events = make_events(2, camera=camera)
    charge = np.zeros((2, 2, camera.n_pixels), dtype=np.float32)
    time = np.full_like(charge, np.nan)
    bright = [30, 31, 32, 22]
    charge[..., bright] = 50.0
    time[..., bright] = 20.0
    time[..., 30] = 21.0
    charge[..., 5], time[..., 5] = 5.0, 21.0
    batch = EventBatch(charge, time, events.columns, events.meta)
    settings = InputSettings(channels=("time",), auxiliary=pixels_only, crop_radius=None, time_scale_ns=2.0)
    images, _, prepared, _ = arrange(batch, settings)
    pixels = HexGrid(camera).to_pixels(images[:, :, 0]).numpy()[0, 0]
    mean = 20.25
    assert pixels[30] == pytest.approx((21.0 - mean) / 2.0 * 2500 / 2525, abs=2e-3)
    assert pixels[5] == pytest.approx((21.0 - mean) / 2.0 * 0.5, abs=2e-3)
    assert pixels[np.isnan(time[0, 0])].tolist() == [0.0] * int(np.isnan(time[0, 0]).sum())
    shifted = EventBatch(charge, time + np.float32(4.0), events.columns, events.meta)
    torch.testing.assert_close(prepare_events(shifted, None, settings).time, prepared.time)


def test_missing_telescope_and_unusable_pixels_are_zero(magic_events, pixels_only):
    charge, time = magic_events.charge.copy(), magic_events.time.copy()
    charge[0, 1], time[0, 1] = np.nan, np.nan
    charge[1, 0, 500], time[1, 0, 500] = np.nan, np.nan
    batch = EventBatch(charge, time, magic_events.columns, magic_events.meta)
    settings = InputSettings(auxiliary=pixels_only, crop_radius=None, channels=("charge", "usable"))
    images, _, prepared, _ = arrange(batch, settings)
    assert prepared.present.tolist()[:2] == [[1.0, 0.0], [1.0, 1.0]]
    assert images[0, 1].abs().sum() == 0
    pixels = HexGrid(batch.meta.camera).to_pixels(images[1, 0])
    assert pixels[:, 500].tolist() == [0.0, 0.0]
    assert pixels[1].sum() == 1038
    assert prepared.auxiliary[0, -2:].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("pixels", "rings"), [("cleaned", 0), ("dilated", 2)])
def test_pixels_far_from_the_image_can_be_hidden(magic_events, pixels, rings, pixels_only):
    shown = prepare_events(magic_events, None, InputSettings(auxiliary=pixels_only, pixels=pixels))
    everything = prepare_events(magic_events, None, InputSettings(auxiliary=pixels_only))
    seen = (everything.flags[..., :-1] & 2).numpy() > 0
    neighbours = magic_events.meta.camera.neighbours
    for _ in range(rings):
        padded = np.pad(seen, ((0, 0), (0, 0), (0, 1)))
        seen = seen | padded[..., neighbours].any(axis=-1)
    np.testing.assert_array_equal(shown.charge[..., :-1].numpy(), everything.charge[..., :-1].numpy() * seen)


def test_every_auxiliary_input_computes_and_default_ones_exist(magic_events):
    plain = extract_features(magic_events)
    crossing = {f"disp_{k}_deg": plain[f"reco_{k}_deg"] + 0.1 for k in "xy"}
    table = plain.with_columns(
        **crossing, disp_uncert_deg=np.full(len(plain), 0.1), disp_impact_m=plain["impact_m"] + 10.0
    )
    names = tuple(AUXILIARY)
    values = prepare_events(magic_events, table.columns, InputSettings(auxiliary=names)).auxiliary
    layout = AuxiliaryLayout.of(names, ("M1", "M2"))
    assert values.shape == (len(magic_events), len(layout.names))
    known = dict(zip(layout.names, torch.isfinite(values).float().mean(dim=0).tolist(), strict=True))
    assert min(known.values()) > 0.3, known
    place = layout.names.index("log_size[M2]")
    with np.errstate(divide="ignore"):
        expected = np.log10(table["size_pe"][:, 1])
    np.testing.assert_allclose(values[:, place], np.where(np.isfinite(expected), expected, np.nan), rtol=1e-6)
    assert set(DEFAULT_AUXILIARY) <= set(AUXILIARY)


def test_missing_columns_and_unknown_inputs_are_named(magic_events):
    with pytest.raises(InputError, match=r"'width' needs the column width_deg: give the feature table"):
        prepare_events(magic_events, None, InputSettings(auxiliary=("width",)))
    with pytest.raises(ConfigError, match=r"'widht'.*did you mean 'width'"):
        AuxiliaryLayout.of(("widht",), ("M1",))
    with pytest.raises(ConfigError, match="twice"):
        AuxiliaryLayout.of(("width", "width"), ("M1",))
    assert required_columns(["baseline", "cos_zenith"]) == ["pointing_zenith_deg", "pointing_azimuth_deg"]


def test_normalisation_keeps_vectors_and_encodes_quantiles(magic_events):
    table: FeatureTable = extract_features(magic_events)
    settings = InputSettings(auxiliary=("log_size", "baseline"), encoding_bins=4)
    values = prepare_events(magic_events, table.columns, settings).auxiliary
    layout = AuxiliaryLayout.of(settings.auxiliary, ("M1", "M2"))
    known = values.numpy()
    scales = Normalisation.of(known, layout, bins=4, log_energy=np.log10(magic_events["true_energy_gev"]))
    assert scales.mean[2:] == (0.0, 0.0)
    assert scales.scale[2] == scales.scale[3]
    model = EventModel(magic_events.meta.camera, ("M1", "M2"), settings, NetworkSettings(), ["particle"], scales)
    encoded = model.encoded(values).numpy()
    for column in range(2):
        measured = encoded[np.isfinite(known[:, column]), column]
        np.testing.assert_allclose([measured.mean(), measured.std()], [0.0, 1.0], atol=1e-5)
    steps = encoded[:, 4:].reshape(len(encoded), 2, 4)
    brightest = np.nanargmax(known[:, 0])
    assert steps[brightest, 0].tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    above_median = steps[np.isfinite(known[:, 0]), 0, 2] > 0
    assert np.mean(above_median) == pytest.approx(0.5, abs=0.05)
    values[:, :2] = np.nan
    assert np.abs(model.encoded(values).numpy()[:, :2]).max() == 0.0


def test_values_without_bound_become_unknown():
    columns = {"size_main_island_pe": np.array([[0.0, 5.0]]), "size_pe": np.array([[0.0, 10.0]])}
    found = auxiliary_values(["main_island"], columns, EventMeta("gamma", "test", True))
    np.testing.assert_array_equal(found, np.array([[np.nan, 0.5]], dtype=np.float32))


def test_baselines_and_field_are_those_of_the_array():
    places = ((0.0, 0.0, 0.0), (100.0, 0.0, 0.0), (0.0, 50.0, 10.0))
    array = TelescopeArray(places, site=Site(field_north_ut=None))
    meta = EventMeta("gamma", "test", True, telescopes=("A", "B", "C"), array=array)
    columns = {"pointing_zenith_deg": np.array([0.0, 40.0]), "pointing_azimuth_deg": np.array([0.0, 90.0])}
    assert AuxiliaryLayout.of(["baseline"], meta.telescopes).names == (
        "baseline[B].x", "baseline[B].y", "baseline[C].x", "baseline[C].y",
    )  # fmt: skip
    found = auxiliary_values(["baseline", "field"], columns, meta)
    np.testing.assert_allclose(found[0, :4], [-100.0, 0.0, 0.0, -50.0], atol=1e-5)
    expected = projected_baseline_m(40.0, 90.0, [0.0, 50.0, 10.0])
    np.testing.assert_allclose(found[1, 2:4], expected, rtol=1e-6)
    assert np.isnan(found[:, 4:]).all()
    with pytest.raises(InputError, match="nothing says where the telescopes A, B, C stand"):
        auxiliary_values(["baseline"], columns, replace(meta, array=None))
    mono = replace(meta, telescopes=("A",), array=TelescopeArray(places[:1]))
    assert auxiliary_values(["baseline", "cos_zenith"], columns, mono).shape == (2, 1)
