"""Build the environments of the readers that our MARS files are compared with, each apart from everything else.

``python tools/oracles.py magic`` makes one with ``MAGICEventSource`` (ctapipe-io-magic, which needs an older ctapipe
than we do), ``python tools/oracles.py root`` one with ROOT itself. They go below ``--path``, or the folder that the
environment variable MAGICNN_ORACLES names, or the user's cache. What is complete already stays. The last line that is
printed is the path of the environment's Python.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ORACLES = {"magic": "ctapipe_io_magic", "root": "ROOT"}
"""Names of the environments, and the package that each must import."""


def default_folder() -> Path:
    """Return where environments are kept when nothing else is said."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MAGICNN_ORACLES") or Path(cache) / "magicnn" / "oracles")


def build(name: str, folder: Path) -> Path:
    """Build an environment unless it is complete; return the path of its Python."""
    requirements = (HERE / f"requirements-oracle-{name}.txt").read_text(encoding="utf-8")
    place = folder / name
    done = place / "complete.txt"
    if done.is_file() and done.read_text(encoding="utf-8") == requirements:
        print(f"{place}: complete")
        return place / "bin" / "python"
    print(f"{place}: building an environment with {', '.join(requirements.split())}", flush=True)
    partial = folder / f".{name}.{os.getpid()}.part"  # another process may be building the same
    try:
        subprocess.run([sys.executable, "-m", "venv", str(partial)], check=True)
        python = [str(partial / "bin" / "python")]
        pip = [*python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements.split()], check=True)
        subprocess.run([*python, "-W", "ignore", "-c", f"import {ORACLES[name]}"], check=True)
        (partial / done.name).write_text(requirements, encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        partial.rename(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return place / "bin" / "python"


def main() -> int:
    """Build one environment; exit code 1 when that is not possible."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=ORACLES, help="which environment")
    parser.add_argument("--path", type=Path, default=default_folder(), help="folder of the environments")
    given = parser.parse_args()
    try:
        python = build(given.name, given.path)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"cannot build the environment {given.name!r}: {error}", file=sys.stderr)
        return 1
    print(python)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
