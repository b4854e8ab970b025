"""`pip install .` gives a fresh Python the package. With ccache little is compiled again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import npk, numpy as np
with npk.Store("s.npk") as store:
    store.save({"a": np.eye(4)})
    print(npk.StreamingVectorEngine().streaming_top_k_from_file(np.eye(4)[2], store, "a", "dot", 1))
print(npk.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    launcher = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}
    # Without isolation: the packages that build it are pinned in scripts/requirements.txt. Without
    # optimisation, and kernels for one processor only: what is tried here is the packaging.
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ROOT, "--no-build-isolation", "--no-deps",
         "--no-index", f"--config-settings=build-dir={folder / 'build'}", "-w", folder,
         "--config-settings=cmake.build-type=Debug",
         "--config-settings=cmake.define.CMAKE_CXX_FLAGS_DEBUG=-O0 -DHWY_COMPILE_ONLY_STATIC"],
        env={**os.environ, **launcher}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return next(folder.glob("npk-*.whl"))


def test_the_wheel_works_in_a_fresh_environment(wheel, tmp_path):
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)
    python = fresh / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel],
                   check=True)
    # NumPy from here: tests need no network.
    done = subprocess.run([python, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(Path(np.__file__).parents[1]), "PATH": ""})
    assert done.returncode == 0, done.stderr
    answer, where = done.stdout.splitlines()
    assert answer == "(array([2], dtype=uint64), array([1.]))"
    assert where.startswith(str(fresh))


def test_the_wheel_holds_the_types_and_no_build_files(wheel):
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    assert {"npk/__init__.py", "npk/_npk.pyi", "npk/_types.py", "npk/py.typed"} <= set(names)
    assert all(name.startswith(("npk/", "npk-")) for name in names)
