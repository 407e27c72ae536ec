import pytest
from pydantic import Field

from magicnn.config import Settings, apply_overrides, dump_settings, load_settings, validate_settings
from magicnn.errors import ConfigError


class Training(Settings):
    epochs: int = Field(default=3, ge=1)
    rate: float = 0.1


class Job(Settings):
    seed: int = 1
    training: Training = Training()


def test_overrides_reach_nested_values_and_leave_the_input_alone():
    values = {"training": {"epochs": 5}}
    changed = apply_overrides(values, ["training.rate=1e-3", "seed=7", "training.epochs=8"])
    assert changed == {"training": {"epochs": 8, "rate": "1e-3"}, "seed": 7}
    assert values == {"training": {"epochs": 5}}
    assert validate_settings(Job, changed, where="test").training.rate == pytest.approx(1e-3)


@pytest.mark.parametrize("text", ["epochs", "=3", "training..epochs=3", "seed: 3"])
def test_malformed_override_is_one_clear_line(text):
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        apply_overrides({}, [text])


def test_override_below_a_plain_value():
    with pytest.raises(ConfigError, match="'seed' is a single value"):
        apply_overrides({"seed": 1}, ["seed.x=2"])


def test_all_mistakes_are_listed_with_their_path_and_the_nearest_name():
    with pytest.raises(ConfigError) as caught:
        validate_settings(Job, {"training": {"epoch": 3, "epochs": 0}, "seed": "many"}, where="job.yaml")
    message = str(caught.value)
    assert message.startswith("job.yaml: ")
    assert "training.epoch: unknown setting, did you mean 'epochs'?" in message
    assert "training.epochs" in message
    assert "seed" in message
    assert caught.value.exit_code == 2


def test_round_trip_through_yaml(tmp_path):
    job = Job(seed=4, training=Training(epochs=9))
    path = tmp_path / "job.yaml"
    path.write_text(dump_settings(job))
    assert load_settings(Job, path) == job
    assert load_settings(Job, path, ["training.epochs=2"]).training.epochs == 2


@pytest.mark.parametrize(("content", "reason"), [("a: [", "not YAML"), ("- 1\n- 2", "expected a mapping")])
def test_bad_yaml(tmp_path, content, reason):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=reason):
        load_settings(Job, path)


def test_missing_yaml(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Job, tmp_path / "none.yaml")
