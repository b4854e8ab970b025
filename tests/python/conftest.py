"""The Python package as the build made it: build/release/python, or that of NPK_BUILD_DIR."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NPK_BUILD_DIR", ROOT / "build" / "release"))
sys.path.insert(0, str(BUILD / "python"))


@pytest.fixture
def npk():
    import npk

    return npk


@pytest.fixture
def store(npk, tmp_path):
    with npk.Store(tmp_path / "s.npk") as opened:
        yield opened


@pytest.fixture
def rng():
    """Of a random seed, which a failing test shows; NPK_SEED repeats it."""
    seed = int(os.environ.get("NPK_SEED", np.random.SeedSequence().entropy % 2**32))
    print(f"NPK_SEED={seed}")
    return np.random.default_rng(seed)
