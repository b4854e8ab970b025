"""The README's examples do what it says: its C++ compiles against the installed library and runs,
its Python runs, its shell sessions print what it shows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import markdown_examples as examples
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NPK_BUILD_DIR", ROOT / "build" / "release"))
README = examples.blocks((ROOT / "README.md").read_text(encoding="utf-8"))
PROGRAMS = [block for block in README if block.language == "cpp"]
SCRIPTS = [block for block in README if block.language == "python"]
SESSIONS = [block for block in README if block.language == "console"]


def by_line(block) -> str:
    return f"line {block.line}"


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    prefix = tmp_path_factory.mktemp("installed")
    subprocess.run([ROOT / "tests/install/install_tree.sh", BUILD, prefix], check=True)
    return prefix


@pytest.fixture
def workplace(tmp_path) -> Path:
    """An empty folder in which the README's relative paths hold."""
    for name in ("examples", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build" / "release").mkdir(parents=True)
    (tmp_path / "build" / "release" / "bin").symlink_to(BUILD / "bin")
    return tmp_path


def test_the_readme_has_a_program_a_script_and_a_session():
    assert PROGRAMS and SCRIPTS and SESSIONS


@pytest.mark.parametrize("program", PROGRAMS, ids=by_line)
def test_a_program_of_the_readme_compiles_and_runs(program, installed, workplace):
    source = workplace / "example.cc"
    text = program.text
    if "int main" not in text:  # statements: the README leaves the frame out
        includes = [line for line in text.splitlines() if line.startswith("#include")]
        body = [line for line in text.splitlines() if not line.startswith("#include")]
        text = "\n".join([*includes, "int main() {", *body, "}", ""])
    source.write_text(text, encoding="utf-8")
    pc_file = next(installed.rglob("npk.pc"))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "npk"], check=True, text=True,
                           capture_output=True,
                           env={**os.environ, "PKG_CONFIG_PATH": str(pc_file.parent)}).stdout
    binary = workplace / "example"
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-Wall", "-Wextra", "-Werror",
                    source, "-o", binary, *flags.split()], check=True)
    done = subprocess.run([binary], cwd=workplace, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LD_LIBRARY_PATH": str(pc_file.parents[1])})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=by_line)
def test_a_script_of_the_readme_runs(script, workplace):
    done = subprocess.run([sys.executable, "-c", script.text], cwd=workplace, timeout=60,
                          capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(BUILD / "python")})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("session", SESSIONS, ids=by_line)
def test_a_session_of_the_readme_prints_what_it_shows(session, workplace):
    environment = {**os.environ, "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                   "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
    bash = shutil.which("bash")
    for step in examples.steps(session):
        done = subprocess.run([bash, "-c", step.command], cwd=workplace, text=True, timeout=120,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        shown = f"README.md line {step.line}: $ {step.command}"
        assert examples.matches(step.output, done.stdout), (
            f"{shown}\nshows:\n{step.output}\nprints (exit code {done.returncode}):\n{done.stdout}")
