from dataclasses import replace

import pytest

from magicnn.errors import ConfigError
from magicnn.pipeline.stages import Stage, execute, stage_counts, stage_states


class Job:
    """Two stages that write a file each and remember that they ran."""

    def __init__(self, folder, epochs=1):
        self.folder = folder
        self.ran = []
        self.stages = [
            Stage("data", "make data", lambda: self.work("data"), (folder / "data",)),
            Stage("train", "train", lambda: self.work("train"), (folder / "train",), {"epochs": epochs}, ("data",)),
            Stage("other", "another", lambda: self.work("other"), (folder / "other",)),
        ]

    def work(self, name):
        assert not (self.folder / name).exists(), "what is outdated is removed first"
        self.ran.append(name)
        (self.folder / name).write_text(name)
        return {"events": 3}


def test_stages_run_once(tmp_path):
    job = Job(tmp_path)
    assert execute(job.stages, tmp_path) == 3
    assert execute(job.stages, tmp_path) == 0
    assert job.ran == ["data", "train", "other"]
    assert stage_counts(tmp_path, ["train", "none"])["train"]["events"] == 3


def test_a_killed_job_continues(tmp_path):
    job = Job(tmp_path)
    execute(job.stages[:1], tmp_path)
    (tmp_path / "stages" / "train.json").write_text("{ half")
    assert execute(job.stages, tmp_path) == 2
    assert job.ran == ["data", "train", "other"]


def test_missing_output_is_made_again(tmp_path):
    job = Job(tmp_path)
    execute(job.stages, tmp_path)
    (tmp_path / "data").unlink()
    execute(job.stages, tmp_path)
    assert job.ran == ["data", "train", "other", "data"]


def test_changed_settings_are_refused_or_touch_only_what_depends_on_them(tmp_path):
    execute(Job(tmp_path).stages, tmp_path)
    changed = Job(tmp_path, epochs=2)
    with pytest.raises(ConfigError, match=r"train was done with other settings \(epochs: 1 before, 2 now\)"):
        execute(changed.stages, tmp_path)
    assert changed.ran == []
    assert execute(changed.stages, tmp_path, update=True) == 1
    assert changed.ran == ["train"]


def test_states_tell_what_is_done(tmp_path):
    job = Job(tmp_path)
    assert set(stage_states(job.stages, tmp_path).values()) == {"to do"}
    execute(job.stages[:2], tmp_path)
    assert stage_states(Job(tmp_path).stages, tmp_path) == {"data": "done", "train": "done", "other": "to do"}
    changed = Job(tmp_path, epochs=2).stages
    assert stage_states(changed, tmp_path) == {"data": "done", "train": "changed", "other": "to do"}


def test_dropped_stages_leave_nothing(tmp_path):
    job = Job(tmp_path)
    execute(job.stages, tmp_path)
    assert execute(job.stages[:2], tmp_path, dropped=job.stages[2:]) == 0
    assert not (tmp_path / "other").exists()
    assert sorted(p.name for p in (tmp_path / "stages").iterdir()) == ["data.json", "train.json"]


def test_nothing_is_removed_when_the_job_cannot_start(tmp_path):
    execute(Job(tmp_path).stages, tmp_path)
    changed = Job(tmp_path, epochs=2)

    def refuse():
        raise ConfigError("no such device")

    with pytest.raises(ConfigError, match="no such device"):
        execute(changed.stages[:2], tmp_path, update=True, dropped=changed.stages[2:], on_start=refuse)
    assert (tmp_path / "train").exists()
    assert (tmp_path / "other").exists()


def test_cheap_stages_are_done_again_without_asking(tmp_path):
    execute(Job(tmp_path).stages, tmp_path)
    changed = Job(tmp_path, epochs=2)
    changed.stages[1] = replace(changed.stages[1], is_cheap=True)
    assert execute(changed.stages, tmp_path) == 1
    assert changed.ran == ["train"]


def test_a_failing_stage_is_not_remembered(tmp_path):
    def fail():
        raise OSError("disk full")

    stage = Stage("bad", "fail", fail, (tmp_path / "x",))
    with pytest.raises(OSError, match="disk full"):
        execute([stage], tmp_path)
    assert stage_counts(tmp_path, ["bad"]) == {}
