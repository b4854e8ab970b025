"""The package as it is typed and installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NPK_BUILD_DIR", ROOT / "build" / "release"))
STUB = ROOT / "bindings" / "python" / "npk" / "_npk.pyi"


def test_the_stub_is_that_of_the_extension(tmp_path):
    made = tmp_path / "made.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-i", BUILD / "python",
                    "-m", "npk._npk", "-o", made], check=True)
    assert made.read_text(encoding="utf-8") == STUB.read_text(encoding="utf-8"), (
        "make it anew: python -m nanobind.stubgen -i build/release/python -m npk._npk "
        "-o bindings/python/npk/_npk.pyi")


def test_the_package_names_what_it_offers(npk):
    assert sorted(npk.__all__) == npk.__all__
    assert all(hasattr(npk, name) for name in npk.__all__)
    assert (BUILD / "python" / "npk" / "py.typed").exists()
