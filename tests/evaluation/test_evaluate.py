import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.evaluation.binning import ENERGY_EDGES_GEV, ranges
from magicnn.evaluation.classification import roc_auc
from magicnn.evaluation.samples import align, role_of
from magicnn.predictions import PredictionTable

FAST = EvaluationSettings(n_replicates=60)
RANGE = (5.0, 35.0)
ONE = EvaluationSettings(n_replicates=60, zenith_bins_deg=(RANGE,))


@pytest.fixture(scope="module")
def tables(synthetic):
    return synthetic.predictions(n_showers=250, reuse=4, n_proton_showers=120)


@pytest.fixture(scope="module")
def metrics(tables):
    return evaluate(tables, FAST)


def with_table(tables, method, index, changed):
    return {**tables, method: [changed if k == index else t for k, t in enumerate(tables[method])]}


def test_every_range_bin_and_method_has_its_rows(metrics):
    for zenith in FAST.zenith_bins_deg:
        for method in ("CNN", "forest", "LUT"):
            rows = metrics.select(method=method, metric="resolution_half68", zenith_deg=zenith)
            assert [(r.energy_min_gev, r.energy_max_gev) for r in rows] == list(ranges(ENERGY_EDGES_GEV))
        for method in ("CNN", "forest"):
            assert metrics.row(method, "auc", zenith).n_events > 300
            assert len(metrics.select(method=method, metric="auc", zenith_deg=zenith, is_binned=True)) == 13
        assert metrics.row("LUT", "auc", zenith) is None
    empty = metrics.row("CNN", "resolution_half68", (62.0, 70.0), (47.0, 75.0))
    assert empty.n_events == 0
    assert np.isnan([empty.value, empty.low, empty.high]).all()


def test_numbers_are_those_of_the_events(tables, metrics):
    def column(method, index, name):
        table = tables[method][index]
        valid = np.logical_and.reduce([tables[m][index]["is_valid"] for m in tables])
        return table[name][valid]

    gamma, proton = column("CNN", 4, "gammaness"), column("CNN", 8, "gammaness")
    row = metrics.row("CNN", "auc", RANGE)
    assert row.value == pytest.approx(roc_auc(gamma, proton), rel=1e-7)
    assert row.n_events == len(gamma) + len(proton)
    true, reco = column("LUT", 0, "true_energy_gev"), column("LUT", 0, "reco_energy_gev")
    inside = (true >= 119) & (true < 189)
    row = metrics.row("LUT", "bias_median", RANGE, (119.0, 189.0))
    assert row.n_events == inside.sum()
    assert row.value == pytest.approx(np.median(reco[inside] / true[inside]) - 1, rel=1e-6)


def test_every_number_has_an_interval_around_it(metrics):
    for row in metrics.rows:
        if (
            np.isfinite(row.value)
            and not row.metric.endswith(("_sigma", "reliability_gammaness"))
            and row.n_events > 50
        ):
            if row.metric.startswith("q_") and np.isnan(row.high):
                assert row.low > 0.0  # sets without background: no upper limit
                continue
            if row.metric.startswith("purity_") and np.isnan([row.low, row.high]).all():
                continue  # most sets without background: no interval
            assert row.low <= row.high
            if row.metric in ("auc", "resolution_half68") or "efficiency" in row.metric:
                width = row.high - row.low
                assert row.low - width <= row.value <= row.high + width


def test_the_better_method_wins_the_paired_comparison(metrics):
    for zenith in FAST.zenith_bins_deg:
        difference = metrics.row("CNN vs forest", "auc_difference", zenith)
        sigma = metrics.row("CNN vs forest", "auc_difference_sigma", zenith).value
        one, two = (metrics.row(m, "auc", zenith) for m in ("CNN", "forest"))
        assert difference.value == pytest.approx(one.value - two.value)
        assert difference.value > sigma
        assert sigma < np.hypot(one.high - one.low, two.high - two.low)


def test_mean_ratio_takes_bins_above_threshold_with_enough_events(synthetic):
    ring = {m: t[:2] for m, t in synthetic.predictions(n_showers=1500, reuse=2, n_proton_showers=1).items()}
    two = ((5.0, 35.0), (35.0, 50.0))
    found = evaluate(ring, EvaluationSettings(n_replicates=60, zenith_bins_deg=two))
    for zenith in two:
        threshold = found.row("trigger", "energy_threshold_gev", zenith).value
        bins = [
            r
            for r in found.select(method="CNN vs LUT", metric="resolution_half68_ratio", zenith_deg=zenith)
            if r.energy_min_gev >= threshold and r.n_events >= 200
        ]
        assert bins
        (mean,) = found.select(method="CNN vs LUT", metric="resolution_half68_ratio_mean", zenith_deg=zenith)
        assert mean.value == pytest.approx(np.exp(np.mean(np.log([r.value for r in bins]))))
        assert (mean.energy_min_gev, mean.energy_max_gev) == (bins[0].energy_min_gev, bins[-1].energy_max_gev)
        assert mean.n_events == sum(r.n_events for r in bins)
        assert mean.low > 1.1  # 0.17 against 0.13


def test_threshold_is_the_peak_of_the_trigger_rate(synthetic):
    made = synthetic.predictions(n_showers=4000, reuse=1, methods={"LUT": (None, 0.2)}, n_proton_showers=1)
    four = FAST.zenith_bins_deg[:4]
    found = evaluate({"LUT": made["LUT"][:4]}, EvaluationSettings(n_replicates=60, zenith_bins_deg=four))
    for k, zenith in enumerate(four):
        # dN/dE = E^-2.6 x area E^0.2 / (1 + (t / E)^3) above t / 2, smoothed with a Gaussian of 0.1 in log10(E)
        trigger = 2.0 * 30.0 * (1 + k)
        log_energy = np.linspace(np.log10(0.5 * trigger), np.log10(20.0 * trigger), 2000)
        energy = 10.0**log_energy
        rate = energy**-2.4 / (1.0 + (trigger / energy) ** 3)
        smooth = np.exp(-0.5 * ((log_energy[:, None] - log_energy) / 0.1) ** 2) @ rate
        row = found.row("trigger", "energy_threshold_gev", zenith)
        assert row.value == pytest.approx(energy[np.argmax(smooth)], rel=0.1)
        assert row.low < row.value < row.high


def test_purity_and_rates_exist_and_hang_together(metrics):
    for suffix in ("g50", "g70", "g90"):
        gamma, proton, purity = (
            metrics.row("CNN", f"{n}_{suffix}", RANGE).value
            for n in ("gamma_rate_per_min", "hadron_rate_per_min", "purity")
        )
        assert purity == pytest.approx(gamma / (gamma + proton))
        assert 0 < purity < 1


def test_same_events_and_seed_give_the_same_bytes_in_any_order(tables, metrics):
    rng = np.random.default_rng(1)
    shuffled = {
        m: [t.select(rng.permutation(len(t))) for t in reversed(many)] for m, many in reversed(list(tables.items()))
    }
    first = evaluate(tables, ONE)
    assert evaluate(shuffled, ONE).to_json() == first.to_json()
    assert first.row("CNN", "auc", RANGE) == metrics.row("CNN", "auc", RANGE), "whatever other ranges there are"
    other = evaluate(tables, ONE.model_copy(update={"seed": 1}))
    assert other.to_json() != first.to_json()
    assert other.row("CNN", "auc", RANGE).value == first.row("CNN", "auc", RANGE).value


def test_different_events_are_refused(tables):
    fewer = with_table(tables, "forest", 8, tables["forest"][8].select(slice(3, None)))
    with pytest.raises(InputError, match=r"CNN and forest .* proton events: 3 only in CNN, 0 only in forest"):
        evaluate(fewer, FAST)
    table = tables["CNN"][0]
    twice = with_table(tables, "CNN", 0, table.select(np.r_[np.arange(len(table)), 0]))
    with pytest.raises(InputError, match="twice"):
        evaluate(twice, FAST)


def test_an_event_without_a_prediction_is_left_out_for_all_methods_and_seen_in_the_valid_fraction(tables, metrics):
    table = tables["CNN"][8]
    gammaness = table["gammaness"].copy()
    lost = np.flatnonzero(table["is_valid"])[:40]
    gammaness[lost] = np.nan
    found = evaluate(with_table(tables, "CNN", 8, table.with_columns(gammaness=gammaness)), ONE)
    for method in ("CNN", "forest"):
        before, after = (t.row(method, "auc", RANGE).n_events for t in (metrics, found))
        assert after == before - 40
    before, after = (t.row("CNN", "valid_fraction", RANGE).value for t in (metrics, found))
    assert after < before
    assert found.row("forest", "valid_fraction", RANGE).value == metrics.row("forest", "valid_fraction", RANGE).value


def test_one_class_only(tables):
    found = evaluate({m: t[4:8] for m, t in tables.items()}, ONE)
    assert np.isnan(found.row("CNN", "auc", RANGE).value)
    assert found.row("CNN", "gamma_efficiency_g70", RANGE).value == pytest.approx(0.7, abs=0.05)
    assert found.row("CNN", "hadron_efficiency_g70", RANGE).n_events == 0
    assert np.isnan(found.row("trigger", "energy_threshold_gev", RANGE).value)


def test_nothing_at_all():
    assert len(evaluate({}, FAST).select(task="trigger")) == len(FAST.zenith_bins_deg)


def test_a_method_that_never_answers_can_judge_nothing(tables):
    silent = [t.with_columns(reco_energy_gev=np.full(len(t), np.nan)) for t in tables["LUT"]]
    zenith = EvaluationSettings(n_replicates=20, zenith_bins_deg=(RANGE,))
    before, after = (evaluate(t, zenith) for t in (tables, {**tables, "LUT": silent}))
    assert before.row("LUT", "valid_fraction", RANGE).value == pytest.approx(0.95, abs=0.02)
    assert after.row("LUT", "valid_fraction", RANGE).value == 0.0
    assert after.row("forest", "valid_fraction", RANGE) == before.row("forest", "valid_fraction", RANGE)


def test_real_events_alone_cannot_be_judged():
    real = PredictionTable("CNN", {"run_id": [1], "event_id": [1], "gammaness": [0.5]})
    with pytest.raises(InputError, match="none of the 1 prediction tables is of simulated"):
        evaluate({"CNN": [real]}, FAST)


def test_real_data_and_other_particles_have_no_role(tables):
    table = tables["CNN"][0]
    assert role_of(table) == "ring_gamma"
    assert role_of(tables["CNN"][4]) == "diffuse_gamma"
    assert role_of(PredictionTable("CNN", {"run_id": [1], "event_id": [1]})) is None
    assert role_of(PredictionTable("CNN", {"run_id": [1], "event_id": [1]}, "helium")) is None
    assert role_of(PredictionTable("CNN", {"run_id": [1], "event_id": [1]}, "gamma_diffuse")) == "diffuse_gamma"


def test_showers_are_kept_together_across_productions(tables):
    sample = align(tables)["ring_gamma"]
    assert sample.shower.max() + 1 == 4 * 250
    assert (np.bincount(sample.shower) == 4).all()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="between 0 and 1"):
        EvaluationSettings(gamma_efficiencies=(0.5, 1.0))
    with pytest.raises(ValueError, match="ascend"):
        EvaluationSettings(energy_edges_gev=(10.0, 5.0))
    for wrong in ((), ((35.0, 5.0),), ((5.0, 5.0),), ((5.0, np.nan),)):
        with pytest.raises(ValueError, match="zenith range"):
            EvaluationSettings(zenith_bins_deg=wrong)


def test_size_impact_and_the_other_energy_have_bins_of_their_own(tables):
    def described(table, seed):
        rng = np.random.default_rng(seed)
        return table.with_columns(
            size_min_pe=rng.uniform(50.0, 400.0, len(table)), true_impact_max_m=rng.uniform(0.0, 200.0, len(table))
        )

    known = {m: [described(t, k) for k, t in enumerate(many)] for m, many in tables.items()}
    settings = EvaluationSettings(
        n_replicates=20, zenith_bins_deg=(RANGE,), size_edges_pe=(50, 200, 400), impact_edges_m=(0, 100, 200)
    )
    found = evaluate(known, settings)
    for metric in ("resolution_rms", "angular_resolution_95", "auc", "purity_g70"):
        sizes = found.select(method="CNN", metric=f"{metric}_by_size", zenith_deg=RANGE)
        assert [(r.bin_min, r.bin_max) for r in sizes] == [(50.0, 200.0), (200.0, 400.0)]
        assert all(np.isfinite(r.value) and np.isnan(r.energy_min_gev) for r in sizes)
    table, valid = known["CNN"][0], np.logical_and.reduce([known[m][0]["is_valid"] for m in known])
    near = valid & (table["true_impact_max_m"] < 100.0)
    row = found.select(method="CNN", metric="bias_mean_by_impact", zenith_deg=RANGE)[0]
    assert row.n_events == near.sum()
    assert row.value == pytest.approx(np.mean(table["reco_energy_gev"][near] / table["true_energy_gev"][near] - 1))
    assert found.select(metric="purity_g70_by_impact") == []  # not known for real events
    # the plain names mean what they meant
    plain = evaluate(tables, settings)
    for metric in ("auc", "resolution_half68", "angular_resolution_68", "purity_g70"):
        key = {"method": "CNN", "metric": metric, "zenith_deg": RANGE}
        assert [r.value for r in found.select(**key)] == pytest.approx(
            [r.value for r in plain.select(**key)], nan_ok=True
        )


def test_migration_and_reliability_are_shares(metrics, tables):
    rows = metrics.select(method="LUT", metric="migration", zenith_deg=RANGE, energy_gev=(299.0, 475.0))
    assert len(rows) == len(ENERGY_EDGES_GEV) - 1
    valid = np.logical_and.reduce([tables[m][0]["is_valid"] for m in tables])
    true, reco = (tables["LUT"][0][n][valid] for n in ("true_energy_gev", "reco_energy_gev"))
    inside = (true >= 299) & (true < 475)
    for row in rows:
        expected = np.mean((reco[inside] >= row.bin_min) & (reco[inside] < row.bin_max))
        assert row.value == pytest.approx(expected)
    shares = metrics.select(method="CNN", metric="reliability", zenith_deg=RANGE)
    means = metrics.select(method="CNN", metric="reliability_gammaness", zenith_deg=RANGE)
    n = np.array([r.n_events for r in shares])
    error = np.sum(n * np.abs([a.value - b.value for a, b in zip(shares, means, strict=True)])) / n.sum()
    assert n.sum() == metrics.row("CNN", "auc", RANGE).n_events
    assert error == pytest.approx(metrics.row("CNN", "ece", RANGE).value)


def test_angular_resolution_is_the_same_for_methods_that_share_the_direction(metrics):
    rows = [metrics.row(m, "angular_resolution_68", RANGE) for m in ("CNN", "forest", "LUT")]
    assert len({r.value for r in rows}) == 1
    assert metrics.row("CNN vs forest", "angular_resolution_68_ratio", RANGE).value == 1.0
    thirds = [metrics.row("CNN", f"angular_resolution_{k}", RANGE).value for k in (39, 68, 95)]
    assert thirds == sorted(thirds)
