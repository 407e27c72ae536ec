"""The layers hold, and the light parts import without the heavy packages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import magicnn

PACKAGE = Path(magicnn.__file__).parent

LAYERS = [
    {
        "errors",
        "cluster",
        "config",
        "compiled",
        "runs",
        "executors",
        "events",
        "predictions",
        "camera",
        "hexgrid",
        "hexmaps",
        "array",
        "generated",
        "hdf5",
        "readout",
        "splits",
        "summary",
        "zenith",
    },
    {"io", "images", "simulation"},
    {"nn", "baselines", "evaluation"},
    {"report"},
    {"pipeline"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FORBIDDEN_AT_IMPORT = {"ctapipe", "uproot", "awkward", "astropy", "tables", "pandas"}


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in {"__init__", "__main__"})


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = room(path)
    assert own in LEVEL, f"{own} has no layer: add it to LAYERS"
    for name in imported(ast.parse(path.read_text())):
        if name.startswith("magicnn."):
            other = name.split(".")[1]
            assert LEVEL[other] <= LEVEL[own], f"{path.name} ({own}) imports {name}, which lies above it"
        if name.split(".")[0] == "torch" and own not in {"nn", "hexgrid"}:
            pytest.fail(f"{path.name} imports torch, which belongs to nn")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_evaluation_never_sees_a_model_and_nn_never_a_root_file(path):
    own = room(path)
    names = set(imported(ast.parse(path.read_text())))
    if own == "evaluation":
        assert not any(n.startswith(("magicnn.nn", "magicnn.baselines")) for n in names)
    if own == "nn":
        assert not any(n.startswith("magicnn.io.mars.reader") for n in names)


def test_everything_imports_without_the_packages_that_only_readers_need():
    names = [
        "magicnn." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for p in modules()
        if p.stem != "__main__"
    ]
    script = f"""
import sys, importlib
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FORBIDDEN_AT_IMPORT!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
for name in {names!r}:
    importlib.import_module(name)
assert "torchvision" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_import_of_the_package_is_light():
    script = "import sys, magicnn; assert not {'numpy', 'torch', 'h5py', 'pydantic'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_resolve():
    for name in magicnn.__all__:
        assert getattr(magicnn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = magicnn.nonsense
