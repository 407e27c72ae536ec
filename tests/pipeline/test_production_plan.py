"""The script of the large production: rounds, continued where they were."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    if not (ROOT / "analysis" / "production.py").exists():
        pytest.skip("analysis/ is not beside the tests")
    folder = tmp_path_factory.mktemp("plan") / "mc_configs"
    shutil.copytree(ROOT / "mc_configs", folder)
    path = folder / "plan.yaml"
    path.write_text(
        yaml.safe_dump({"zenith_ranges": ["za05to35"], "events": {"gamma": 8, "proton": 4}, "rounds": 2, "seed": 5})
    )
    return path


def produce(plan, output, *arguments):
    script = ROOT / "analysis" / "production.py"
    command = [sys.executable, str(script), "--config", str(plan), "--output", str(output), "--workers", "1"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_a_small_production_is_the_beginning_of_the_large_one(plan, tmp_path):
    first = produce(plan, tmp_path / "made", "--scale", "0.5")
    assert first.returncode == 0, first.stderr
    names = ["gamma_za05to35/part_000", "proton_za05to35/part_000"]
    parts = json.loads((tmp_path / "made" / "throughput.json").read_text())
    assert list(parts) == names
    assert parts[names[0]]["events"] >= 4
    assert parts[names[1]]["kish"] <= parts[names[1]]["events"]
    assert "left" in first.stdout.splitlines()[-1]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.h5")}
    second = produce(plan, tmp_path / "made")
    assert second.returncode == 0, second.stderr
    assert len(json.loads((tmp_path / "made" / "throughput.json").read_text())) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_share_outside_of_its_range_is_one_line(plan, tmp_path):
    ended = produce(plan, tmp_path / "none", "--scale", "2")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "--scale 2.0: expected a share above 0 and up to 1"
