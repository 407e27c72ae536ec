"""The notebooks run as scripts and as notebooks, use documented names only, and have a page each."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = ("first_look", "train_cnn", "cnn_against_lut", "own_reader")
EXECUTE = """
import sys
import jupytext, nbclient
notebook = jupytext.read(sys.argv[1])
nbclient.NotebookClient(notebook, timeout=1800, kernel_name="python3").execute()
jupytext.write(notebook, sys.argv[2])
"""


def run(arguments, folder, *, backend="Agg"):
    environment = os.environ | {"MPLBACKEND": backend, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One working folder for all: the second notebook's events serve the third."""
    return tmp_path_factory.mktemp("notebooks")


def test_these_are_all_of_them():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_is_short_and_has_a_page(name):
    jupytext = pytest.importorskip("jupytext")
    script = FOLDER / f"{name}.py"
    cells = jupytext.read(script).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert 5 <= len(code) <= 20
    assert sum(len(cell.source.splitlines()) for cell in code) < 170
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert f"{{doc}}`{name}`" in index
    assert len(re.findall(f"^{name}$", index, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_use_documented_names(name):
    api = (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^ +(magicnn[\w.]*)$", api, re.MULTILINE))
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    used = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module.split(".")[0] == "magicnn"]
    assert used
    for node in used:
        for alias in node.names:
            thing = getattr(importlib.import_module(node.module), alias.name)
            places = {node.module, f"{node.module}.{alias.name}", getattr(thing, "__module__", "")}
            assert places & documented, f"{node.module}.{alias.name}"
    private = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and re.match("_[^_]", n.attr)]
    own = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    assert set(private) <= own


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_as_a_script(name, folder):
    done = run(["-W", "error", FOLDER / f"{name}.py"], folder)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_as_a_notebook(name, folder):
    for package in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(package)
    import nbformat

    inline = "module://matplotlib_inline.backend_inline"  # as a kernel has it
    done = run(["-c", EXECUTE, FOLDER / f"{name}.py", f"{name}.ipynb"], folder, backend=inline)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    outputs = [o for cell in nbformat.read(folder / f"{name}.ipynb", 4).cells for o in cell.get("outputs", ())]
    shown = [o.data for o in outputs if o.output_type in ("display_data", "execute_result")]
    assert any("text/html" in data for data in shown)
    assert any("image/png" in data for data in shown)


@pytest.mark.slow
def test_the_first_look_reads_real_files(data_dir, tmp_path):
    (tmp_path / "night").symlink_to(data_dir / "magic_real")
    done = run(["-W", "error", FOLDER / "first_look.py"], tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
