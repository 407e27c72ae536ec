from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, model_validator

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


class Place(Settings):
    settings_of: ClassVar[str] = "a place"

    height_m: float
    name: str = "here"


class Work(Settings):
    settings_of: ClassVar[str] = "a piece of work"
    example_file: ClassVar[str] = "configs/work.yaml"

    steps: Annotated[int, Field(ge=1, lt=5)]
    way: Literal["fast", "slow"]
    pair: tuple[float, float] = (1.0, 2.0)
    names: tuple[str, ...] = Field(default=("a",), min_length=1)
    is_dry: bool = False
    place: Place | None = None
    places: dict[str, Place] = Field(default_factory=dict)
    folder: Path = Path()

    @model_validator(mode="after")
    def _check(self):
        if self.pair[0] > self.pair[1]:
            raise ValueError("pair must ascend")
        return self


RIGHT = {"steps": 1, "way": "fast"}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"steps": 0}, "steps: expected 1 or more, got 0"),
        ({"steps": 5}, "steps: expected less than 5, got 5"),
        ({"steps": 1.5}, "steps: expected a whole number, got 1.5"),
        ({"way": "quick"}, "way: expected 'fast' or 'slow', got 'quick'"),
        ({"pair": [1.0]}, "pair: expected a longer list, got [1.0]"),
        ({"pair": [1.0, 2.0, 3.0]}, "pair: expected a list of 2 or fewer, got [1.0, 2.0, 3.0]"),
        ({"pair": [1.0, "x"]}, "pair.1: expected a number, got 'x'"),
        ({"pair": [3, 2]}, "settings: pair must ascend"),
        ({"names": []}, "names: expected a list of 1 or more, got []"),
        ({"names": [7]}, "names.0: expected a text, got 7"),
        ({"is_dry": "perhaps"}, "is_dry: expected true or false, got 'perhaps'"),
        ({"place": 3}, "place: expected a group of settings, got 3"),
        ({"place": {"nam": "x", "height_m": 1}}, "place.nam: unknown setting, did you mean 'name'?"),
        ({"places": {"a": {"hight_m": 3}}}, "places.a.hight_m: unknown setting, did you mean 'height_m'?"),
        ({"places": {"a": {}}}, "places.a.height_m: not given, and without a default"),
        ({"folder": 3}, "folder: expected the name of a file or folder, got 3"),
        ({"x": 1, "y": 2}, "x: unknown setting, known: folder, is_dry, names, pair, place, places, steps, way; y: unk"),
    ],
)
def test_mistakes_are_told_in_words_of_this_package(values, told):
    with pytest.raises(ConfigError) as caught:
        validate_settings(Work, {**RIGHT, **values}, where="w.yaml")
    assert str(caught.value).startswith(f"w.yaml: {told}")
    for foreign in ("Input should", "Value error", "permitted", "Field required", "valid ", "\n"):
        assert foreign not in str(caught.value)


def test_all_that_is_missing_is_one_remark():
    with pytest.raises(ConfigError, match=r"^w.yaml: steps, way: not given, and without a default$"):
        validate_settings(Work, {}, where="w.yaml")


def test_long_values_are_cut():
    with pytest.raises(ConfigError) as caught:
        validate_settings(Work, {**RIGHT, "steps": list(range(1000))}, where="w.yaml")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("content", "holds"),
    [("height_m: 3\nname: there", "the settings of a place"), ("fruit: 3\nwines: 4", "fruit, wines")],
)
def test_a_file_of_other_settings_is_told_in_one_line(tmp_path, content, holds):
    path = tmp_path / "other.yaml"
    path.write_text(content)
    expected = "expected the settings of a piece of work (steps, way, pair, ...); give a file such as configs/work.yaml"
    with pytest.raises(ConfigError) as caught:
        load_settings(Work, path)
    assert str(caught.value) == f"{path}: holds {holds}; {expected}"


def test_a_mistyped_name_is_no_file_of_other_settings(tmp_path):
    path = tmp_path / "work.yaml"
    path.write_text("step: 3")
    with pytest.raises(ConfigError, match="step: unknown setting, did you mean 'steps'"):
        load_settings(Work, path)
