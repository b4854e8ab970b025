"""Runs the real command. NPK_COMMAND (or NPK) names it; without, the release build's."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("NPK_COMMAND") or os.environ.get("NPK") or str(
    ROOT / "build" / "release" / "bin" / "npk")

OK, FAILURE, USAGE, INTEGRITY, BUSY = range(5)

# A shell starts what runs in the background with SIGINT ignored, and so would be what is started
# here; the command then leaves the signal alone, and tests that send it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Outcome:
    code: int
    out: str
    err: str


class Npk:
    """The command in a folder of its own: npk("ls", "s.npk") is what a shell would do."""

    def __init__(self, folder: Path, command: str = COMMAND, user: int | None = None):
        self.folder = folder
        self.command = command
        self.user = user

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("NPK_") and k != "NO_COLOR"}
        return kept | extra

    def __call__(self, *arguments, code: int = OK, env: dict | None = None) -> Outcome:
        done = subprocess.run([self.command, *map(str, arguments)], cwd=self.folder, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, user=self.user,
                              env=self.environment(**(env or {})))
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert outcome.code == code, (arguments, outcome)
        return outcome

    def json(self, *arguments, code: int = OK) -> dict:
        """With --json: stdout is one object, and says of which verb."""
        outcome = self(*arguments, "--json", code=code)
        assert outcome.out.count("\n") == 1 and outcome.out.endswith("}\n"), outcome
        answer = json.loads(outcome.out)
        assert answer["schema_version"] == 1
        assert answer["command"] == arguments[0]
        if code == OK:
            assert outcome.err == "" and "error" not in answer
        return answer

    def refused(self, *arguments, code: int = FAILURE, says: str = "") -> dict:
        """Fails with this code; a message on stderr, nothing on stdout; the same as JSON."""
        plain = self(*arguments, code=code)
        assert plain.out == "" and plain.err.startswith("npk: "), plain
        assert says in plain.err, plain.err
        error = self.json(*arguments, code=code)["error"]
        assert set(error) == {"code", "message", "path", "offset_bytes"}
        return error

    def save(self, name: str, array) -> np.ndarray:
        array = np.asarray(array)
        np.save(self.folder / name, array)
        return array

    def imported(self, name: str, array, store: str = "s.npk") -> np.ndarray:
        array = self.save(f"{name}.npy", array)
        self("import", f"{name}.npy", store, "--overwrite")
        return array

    def exported(self, name: str, store: str = "s.npk") -> np.ndarray:
        self("export", store, name, "exported.npy", "--overwrite")
        return np.load(self.folder / "exported.npy")

    def sparse(self, name: str, descr: str, shape: tuple[int, ...]) -> None:
        """An npy file of zeros that takes no space on disk."""
        with open(self.folder / name, "wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": descr, "fortran_order": False, "shape": shape})
            file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(descr).itemsize)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def npk(tmp_path) -> Npk:
    return Npk(tmp_path)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def locked(npk):
    """locked("s.npk"): as long as it lasts, the store's writer lock is held by this process."""

    @contextlib.contextmanager
    def lock(store: str):
        with open(npk.folder / store / "LOCK", "r+b") as file:
            byte_0 = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, byte_0)
            yield

    return lock


@pytest.fixture
def stranger(npk):
    """stranger(): the command and the stores of `npk` for a user who may only read them."""
    folders = []

    def make() -> Npk:
        folder = Path(tempfile.mkdtemp())
        folders.append(folder)
        shutil.copy(COMMAND, folder / "npk")
        shutil.copytree(npk.folder, folder, dirs_exist_ok=True)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() or path.name == "npk" else 0o444)
        return Npk(folder, str(folder / "npk"), user=65534 if os.getuid() == 0 else None)

    yield make
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)
