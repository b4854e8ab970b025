"""Every test and bench on disk is built, registered and run; nothing is forgotten."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import rules
import tree

BUILD = Path(os.environ.get("NPK_BUILD_DIR", tree.ROOT / "build" / "release"))
CPP_TESTS = tree.files("_test.cc", under=("tests/",))
BENCHES = tree.files("_bench.cc")


@pytest.fixture(scope="module")
def compiled() -> set[str]:
    """Sources that the build compiles, relative to the root."""
    database = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    files = (Path(entry["file"]) for entry in database)
    return {str(f.relative_to(tree.ROOT)) for f in files if f.is_relative_to(tree.ROOT)}


@pytest.fixture(scope="module")
def registered() -> list[str]:
    listed = subprocess.run(["ctest", "--show-only=json-v1"], cwd=BUILD, check=True,
                            capture_output=True, text=True).stdout
    return [test["name"] for test in json.loads(listed)["tests"]]


def test_every_source_is_compiled(compiled):
    sources = tree.files(".cc", under=("core/", "io/", "simd/", "formats/", "bindings/",
                                       "tests/", "benches/", "examples/cpp/"))
    outside = [s for s in sources if s.startswith("tests/install/")]  # built by the install test
    assert sources
    assert set(sources) - set(outside) - compiled == set()


def test_every_suite_of_every_test_file_is_registered(registered):
    assert CPP_TESTS
    names = [re.split(r"[./]", name) for name in registered]
    missing = []
    for path in CPP_TESTS:
        folder = path.split("/")[1]
        suites = rules.suites_of(tree.text(path))
        if not suites:
            missing.append(f"{path}: defines no test")
        here = {part for name in names if name[0] == folder for part in name[1:]}
        missing += [f"{path}: {suite}" for suite in suites if suite not in here]
    assert missing == []


def test_every_bench_is_a_program():
    assert [b for b in BENCHES if not (BUILD / "bin" / Path(b).stem).exists()] == []


def test_every_python_test_is_where_pytest_looks():
    roots = ("tests/", "examples/")
    on_disk = [p for p in tree.files(".py") if re.search(r"(^|/)test_\w+\.py$|_test\.py$", p)]
    assert on_disk
    assert [p for p in on_disk if not p.startswith(roots)] == []
    # A helper that defines tests is never collected.
    hidden = [p for p in tree.files(".py", under=("tests/",))
              if p not in on_disk and re.search(r"^(async )?def test_", tree.text(p), re.M)]
    assert hidden == []


def test_every_test_script_is_registered(registered):
    """A *_test.sh runs under ctest, by the name its CMakeLists.txt gives it."""
    scripts = tree.files("_test.sh")
    cmake = "\n".join(tree.text(p) for p in tree.files("CMakeLists.txt"))
    assert [s for s in scripts if Path(s).name not in cmake] == []
    assert any(name.startswith("install.") for name in registered)
    assert any(name.startswith("examples.") for name in registered)
