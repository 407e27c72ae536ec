"""Fixtures for all tests."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from magicnn.camera import Camera

# the same examples every time, and no clock: a busy machine must not fail a test
settings.register_profile("magicnn", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("magicnn")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real files, named by the environment variable MAGICNN_TEST_DATA; tests without it are skipped."""
    folder = os.environ.get("MAGICNN_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MAGICNN_TEST_DATA does not name the folder of real files")
    return Path(folder)


@pytest.fixture(scope="session")
def magic_camera() -> Camera:
    """Return MAGIC's camera."""
    return Camera.magic()


@pytest.fixture(scope="session")
def damage() -> ModuleType:
    """Module that writes small files of every format, and damages them."""
    spec = importlib.util.spec_from_file_location("damage", Path(__file__).parent / "io" / "damage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
