"""What the comparison with other programs (benches/search) gives them."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "search"))

import peer_worker  # noqa: E402
from peer_adapters import PEERS, best_environment  # noqa: E402
from peer_tasks import Task, make_data  # noqa: E402
from peer_worker import MANY_QUERIES, Worker  # noqa: E402


@pytest.mark.parametrize(
    ("cpu_flags", "core_type"),
    [
        ({"sse4_2", "avx2", "avx512f", "avx512vl"}, "SkylakeX"),
        ({"sse4_2", "avx2"}, "Haswell"),
        ({"sse4_2"}, None),
        (set(), None),  # Where Linux calls them otherwise.
    ],
)
def test_openblas_at_its_best_has_the_widest_vectors_there_are(cpu_flags, core_type):
    environment = best_environment(cpu_flags)
    assert environment.get("OPENBLAS_CORETYPE") == core_type
    assert environment["OMP_WAIT_POLICY"] == "passive"


def test_a_way_that_was_far_behind_with_many_queries_is_not_tried_with_more(tmp_path, monkeypatch):
    clock_s = 0.0
    tried: list[str] = []

    def way(label: str, takes_s: float):
        def call():
            nonlocal clock_s
            clock_s += takes_s
            tried.append(label)
            return np.zeros((1, 1))

        return label, call

    monkeypatch.setattr(peer_worker, "time", SimpleNamespace(perf_counter=lambda: clock_s))
    ways = [way("quick", 0.01), way("slow", 0.031)]
    monkeypatch.setitem(PEERS, "two ways", (lambda *_: ways, ("best",)))
    worker = Worker("two ways", "best")
    few = Task(1, 4, queries=10)
    many = Task(1, 4, queries=MANY_QUERIES)
    make_data(many, tmp_path)
    for task in (few, many):  # Few queries say nothing about many.
        tried.clear()
        assert worker.prepare(task, tmp_path)["way"] == "quick"
        assert set(tried) == {"quick", "slow"}
    for task in (many, Task(1, 4, queries=1000, k=100)):
        tried.clear()
        assert worker.prepare(task, tmp_path)["way"] == "quick"
        assert set(tried) == {"quick"}
    tried.clear()
    worker.prepare(Task(1, 4, metric="l2sq", queries=1000), tmp_path)
    assert set(tried) == {"quick", "slow"}
