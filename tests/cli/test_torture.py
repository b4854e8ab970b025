"""torture: kills on the user's own file system, a report, and nothing left behind."""

import json
import re
import signal
import subprocess
import time

import pytest
from conftest import INTEGRITY, USAGE
from test_terminal import OnTerminal

COUNTS = {"kills", "kills_while_opening", "operations", "acknowledged", "under_way_kept",
          "under_way_dropped", "lost", "torn"}


@pytest.fixture
def place(npk):
    (npk.folder / "d").mkdir()
    return npk.folder / "d"


@pytest.mark.parametrize("power", [[], ["--power"]], ids=["process", "power"])
def test_it_kills_and_finds_everything_there(npk, place, power):
    report = npk.json("torture", "d", "--seconds", 2, "--seed", 7, *power)
    assert set(report) == COUNTS | {
        "schema_version", "command", "directory", "durability", "seed", "seconds", "sync_us",
        "interrupted", "verdict", "finding", "kept_store"}
    assert report["verdict"] == "passed" and report["finding"] is report["kept_store"] is None
    assert report["durability"] == ("power" if power else "process") and report["seed"] == 7
    assert report["kills"] > 0 and report["acknowledged"] > 0 and report["seconds"] >= 2
    assert report["lost"] == report["torn"] == 0 and not report["interrupted"]
    assert report["operations"] == sum(
        report[part] for part in ("acknowledged", "under_way_kept", "under_way_dropped"))
    assert set(report["sync_us"]) == {"count", "median", "p99", "max"}
    assert list(place.iterdir()) == []


def test_it_reports_to_a_person(npk, place):
    outcome = npk("torture", "d", "--seconds", 1)
    assert re.match(r"passed: \d[\d,]* kills? in \d+ s, .* 0 lost, 0 torn\n", outcome.out)
    assert "a sync of 4 KiB took" in outcome.out and outcome.err == ""


def test_a_worker_that_lies_is_found_out_and_its_store_is_kept(npk, place):
    """NPK_TORTURE_BREAK lets a worker acknowledge what it left out."""
    outcome = npk("torture", "d", "--seconds", 20, code=INTEGRITY,
                  env={"NPK_TORTURE_BREAK": "1"})
    assert outcome.out.startswith("FAILED: ") and "acknowledged operations are lost" in outcome.out
    kept = re.search(r"the store is kept: (.*)\n", outcome.out).group(1)
    assert npk.json("verify", kept)["clean"]
    left = [path for folder in place.iterdir() for path in folder.iterdir()]
    assert left and all((path / "STORE").exists() for path in left)
    report = json.loads(npk("torture", "d", "--seconds", 20, "--json", code=INTEGRITY,
                            env={"NPK_TORTURE_BREAK": "1"}).out)
    assert report["verdict"] == "failed" and report["lost"] > 0 and report["seconds"] < 20
    assert (npk.folder / report["kept_store"] / "STORE").exists()


def test_it_needs_a_directory_that_is_no_store(npk, place):
    assert npk.refused("torture", "nowhere", says="make it first")["code"] == "NotFound"
    npk.write("file", "x")
    assert npk.refused("torture", "file")["code"] == "NotFound"
    npk.imported("a", [1, 2, 3])
    files = set((npk.folder / "s.npk").iterdir())
    assert npk.refused("torture", "s.npk", says="is a store")["code"] == "FailedPrecondition"
    assert set((npk.folder / "s.npk").iterdir()) == files
    npk("torture", "d", "--seconds", "soon", code=USAGE)


def test_it_needs_a_directory_to_write_into(npk, place, stranger):
    other = stranger()
    error = other.refused("torture", "d")
    assert error["code"] == "IoError" and "npk-torture-" in error["path"]


def test_ctrl_c_ends_it_with_a_report_and_leaves_nothing(npk, place):
    process = subprocess.Popen(
        [npk.command, "torture", "d", "--seconds", "600", "--json"], cwd=npk.folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=npk.environment())
    end = time.monotonic() + 30
    while not list(place.glob("*/*.npk")) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    report = json.loads(out)
    assert report["interrupted"] and report["verdict"] == "passed" and report["seconds"] < 60
    assert process.returncode == -signal.SIGINT and err == b""
    assert list(place.iterdir()) == []


def test_it_draws_a_bar_on_a_terminal(npk, place):
    run = OnTerminal(npk, "torture", "d", "--seconds", "2", env={"NPK_PROGRESS_AFTER_MS": "0"})
    assert run.finish() == 0
    assert re.search(r"torturing, \d+ kills? \[[= ]{30}\] +\d+ % of 2 s", run.seen), run.seen
    assert run.process.stdout.read().startswith(b"passed")
