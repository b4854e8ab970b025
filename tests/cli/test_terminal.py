"""On a terminal, in a pipe, and when someone presses Ctrl-C."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import numpy as np
import pytest
from conftest import FAILURE

BAR = re.compile(r"importing big \[[= ]{30}\] +\d+ % of \d+\.\d MiB")


class OnTerminal:
    """A run whose stdout, stderr or both are a terminal."""

    def __init__(self, npk, *arguments, stdout_too=False, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [npk.command, *map(str, arguments)], cwd=npk.folder, stdin=subprocess.DEVNULL,
            stdout=slave if stdout_too else subprocess.PIPE, stderr=slave,
            env=npk.environment(**{"TERM": "xterm", **(env or {})}))
        os.close(slave)
        self.seen = ""

    def read_until(self, pattern=None, timeout=60):
        """Reads the terminal until the pattern shows, or to its end."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # The other side is closed.
                piece = ""
            self.seen += piece
            if not piece or (pattern and re.search(pattern, self.seen)):
                return self.seen
        raise AssertionError(f"nothing like {pattern} came: {self.seen!r}")

    def finish(self):
        self.read_until()
        os.close(self.master)
        return self.process.wait(60)


@pytest.fixture
def big(npk):
    npk.sparse("big.npy", "<f4", (50_000, 1_000))


def test_a_long_call_draws_a_bar_on_a_terminal_and_wipes_it_away(npk, big):
    run = OnTerminal(npk, "import", "big.npy", "s.npk", env={"NPK_PROGRESS_AFTER_MS": "0"})
    assert run.finish() == 0
    assert BAR.search(run.seen), run.seen
    last = run.seen.rsplit("\r\n", 2)[-2]
    assert last.rsplit("\r", 1)[1].startswith("imported big: float32 (50000, 1000)")
    assert re.search(r"\r +\rimported", run.seen)


@pytest.mark.parametrize("arguments, env", [
    (["--no-progress"], {"NPK_PROGRESS_AFTER_MS": "0"}),
    (["--json"], {"NPK_PROGRESS_AFTER_MS": "0"}),
    ([], {"NPK_PROGRESS_AFTER_MS": "60000"})])
def test_no_bar_is_drawn_where_none_is_wanted(npk, arguments, env):
    npk.save("a.npy", np.zeros(1_000_000))
    run = OnTerminal(npk, "import", "a.npy", "s.npk", *arguments, env=env)
    assert run.finish() == 0
    assert "importing" not in run.seen and "\r " not in run.seen


def test_no_bar_is_drawn_into_a_pipe(npk, big):
    outcome = npk("import", "big.npy", "s.npk", env={"NPK_PROGRESS_AFTER_MS": "0"})
    assert outcome.out == "" and outcome.err.startswith("imported big") and "\r" not in outcome.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_leaves_nothing_behind(npk, big, number):
    npk.imported("a", np.arange(3))
    before = {path.name for path in (npk.folder / "s.npk").iterdir()}
    run = OnTerminal(npk, "import", "big.npy", "s.npk", env={"NPK_PROGRESS_AFTER_MS": "0"})
    run.read_until(BAR)
    run.process.send_signal(number)
    assert run.finish() == -number
    assert "nothing has changed" in run.seen
    assert {path.name for path in (npk.folder / "s.npk").iterdir()} == before
    assert [a["name"] for a in npk.json("ls", "s.npk")["arrays"]] == ["a"]
    assert npk.json("verify", "s.npk")["clean"]


def test_an_interrupted_import_leaves_no_store_where_there_was_none(npk, big):
    files = npk.files()
    run = OnTerminal(npk, "import", "big.npy", "s.npk", env={"NPK_PROGRESS_AFTER_MS": "0"})
    run.read_until(BAR)
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == -signal.SIGINT
    assert npk.files() == files


def test_an_interrupted_export_leaves_no_file(npk, big):
    npk("import", "big.npy", "s.npk")
    files = npk.files()
    run = OnTerminal(npk, "export", "s.npk", "big", "out.npy", env={"NPK_PROGRESS_AFTER_MS": "0"})
    run.read_until("exporting big")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == -signal.SIGINT
    assert npk.files() == files


def test_a_search_counts_rows(npk):
    npk.sparse("big.npy", "<f4", (50_000, 1_000))
    npk("import", "big.npy", "s.npk")
    run = OnTerminal(npk, "search", "s.npk", "big", "--row", "0", "--metric", "l2",
                     env={"NPK_PROGRESS_AFTER_MS": "0"})
    assert run.finish() == 0
    assert re.search(r"searching big \[[= ]{30}\]", run.seen), run.seen
    assert run.process.stdout.read().startswith(b"rank")


# ---- Colour. ----


def test_headings_are_coloured_on_a_terminal_only(npk):
    npk.imported("a", np.arange(3))
    coloured = OnTerminal(npk, "ls", "s.npk", stdout_too=True)
    coloured.finish()
    assert "\x1b[1m" in coloured.seen
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = OnTerminal(npk, "ls", "s.npk", stdout_too=True, env=env)
        plain.finish()
        assert "\x1b" not in plain.seen
    assert "\x1b" not in npk("ls", "s.npk").out


def test_errors_are_coloured_on_a_terminal_only(npk):
    coloured = OnTerminal(npk, "ls", "none.npk")
    assert coloured.finish() == FAILURE
    assert coloured.seen.startswith("\x1b[1;31mnpk:\x1b[0m NotFound")
    plain = OnTerminal(npk, "ls", "none.npk", env={"NO_COLOR": "1"})
    plain.finish()
    assert plain.seen.startswith("npk: NotFound")


# ---- Pipes. ----


@pytest.mark.parametrize("ignored", [False, True], ids=["signal", "ignored signal"])
def test_a_reader_that_goes_away_ends_the_command_quietly(npk, ignored):
    npk.imported("a", np.arange(400_000).reshape(-1, 4))
    process = subprocess.Popen(
        [npk.command, "rows", "s.npk", "a", ":"], cwd=npk.folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, restore_signals=not ignored)
    assert process.stdout.read(20).startswith(b"row")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == -signal.SIGPIPE


def test_a_full_disk_behind_stdout_is_a_failure(npk):
    npk.imported("a", np.arange(100_000))
    for extra in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([npk.command, "rows", "s.npk", "a", ":", *extra], cwd=npk.folder,
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == FAILURE
        assert "cannot write to standard output (No space left on device)" in done.stderr


def test_json_and_messages_do_not_mix(npk):
    npk.save("a.npy", np.arange(3))
    both = subprocess.run([npk.command, "import", "a.npy", "s.npk", "--json"], cwd=npk.folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert both.stdout.count("\n") == 1 and both.stdout.startswith("{")
