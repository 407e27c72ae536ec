from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job():
    """YAML of the main job."""
    path = ROOT / "analysis" / "full_comparison.yaml"
    if not path.exists():
        pytest.skip("analysis/ is not beside the tests")
    return path
