"""Every command and every Python block of the tutorial, of the how-to and of the page on event sets works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from magicnn.cli import app
from magicnn.evaluation.metrics_table import METRICS

ROOT = Path(__file__).parent.parent
PAGES = ("tutorial.md", "howto.md", "formats/eventset.md")
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page):
    """Shell commands one by one, and runs of Python blocks as one script, in the order of the page."""
    found = []
    for kind, text in FENCE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if kind == "console":
            found += [("console", line[2:]) for line in text.splitlines() if line.startswith("$ ")]
        elif found and found[-1][0] == "python":
            found[-1] = "python", f"{found[-1][1]}\n{text}"
        else:
            found.append(("python", text))
    return found


def run(kind, text, folder):
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }
    command = ["bash", "-c", text]
    if kind == "python":
        script = folder / "notebook.py"
        script.write_text(text, encoding="utf-8")
        command = [sys.executable, "-W", "error", script.name]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_tutorial_and_howto_run(tmp_path):
    for name in ("mc_configs", "analysis"):
        (tmp_path / name).symlink_to(ROOT / name)
    real = Path(os.environ.get("MAGICNN_TEST_DATA", "")) / "magic_real"
    has_real = bool(os.environ.get("MAGICNN_TEST_DATA")) and real.is_dir()
    if has_real:
        (tmp_path / "night").symlink_to(real)
    n_done = 0
    for page in PAGES:
        for kind, text in steps(page):
            if not has_real and re.search(r"\bnight\b|\bcrab\.h5\b", text):
                continue
            done = run(kind, text, tmp_path)
            assert done.returncode == 0, f"{page}:\n{text}\n{done.stdout}\n{done.stderr}"
            n_done += 1
    assert n_done > 20
    for name in ("report/index.html", "result/metrics.ecsv", "event.png", "resolution.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_pages_name_every_command():
    pages = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
    for command in app.registered_commands:
        assert f"magicnn {command.callback.__name__}" in pages


@pytest.mark.parametrize("metric", METRICS)
def test_definitions_name_every_metric(metric):
    assert f"`{metric}`" in (ROOT / "docs" / "definitions.md").read_text(encoding="utf-8")
