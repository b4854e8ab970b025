"""How does npk's search compare with other exact searches, on the same data, in the same run?

    peers.py [--quick] [--json OUT [--merge]] [--filter TEXT]...

Run by `scripts/bench search --peers`, which installs the peers. Each peer, at its default and at
its best, is a process of its own; all are alive at once, map the same data and take turns, with a
probe of the machine in each round, so that what disturbs one disturbs all. Values are medians.
docs/benchmarks.md says how to read the rows. --filter measures only tasks whose names contain one
of the texts; --merge keeps the rows that OUT has of other tasks.
"""

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from peer_adapters import ENVIRONMENT, PEERS
from peer_tasks import Task, make_data, numpack_tasks, open_data, search_tasks

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("NPK_BUILD_DIR", HERE.parents[1] / "build" / "release"))
CORES = os.cpu_count() or 1
# Between turns: threads that still spin come to rest. OpenBLAS's wait 2^26 cycles for more work.
PAUSE_S = 0.03
SUITE = "peers"
MEAN = "1 query, geometric mean"


class Process:
    """A program that answers a line with a JSON object a line."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def ask(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args} ended, asked {line}")
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Peer(Process):
    def __init__(self, name: str, setting: str):
        self.name, self.setting = name, setting
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("OMP_", "OPENBLAS_", "MKL_", "KMP_", "GOMP_"))}
        super().__init__([sys.executable, str(HERE / "peer_worker.py"), name, setting],
                         kept | ENVIRONMENT[setting])
        self.last_ms: dict = {}  # By task without its number of queries: (queries, ms).

    @property
    def title(self) -> str:
        return f"{self.name}, {self.setting}" if len(PEERS[self.name][1]) > 1 else self.name

    def expected_ms(self, task: Task) -> float:
        """From a task with fewer queries."""
        queries, ms = self.last_ms.get(task.family, (1, 0.0))
        return ms * task.queries / queries

    def prepare(self, task: Task, folder: Path) -> dict:
        found = self.ask(json.dumps({"prepare": task.as_dict(), "folder": str(folder)}))
        if found["offered"]:
            self.last_ms[task.family] = (task.queries, found["ms"])
        return found


class Probe(Process):
    """The time that the machine itself needs: the longer one of reading and of multiplying."""

    def __init__(self):
        super().__init__([str(BUILD / "bin" / "probe_bench")])

    def floor_ms(self, task: Task, folder: Path) -> float:
        if task.kind == "pair":
            return 0.0
        read = self.ask(f"read {folder / 'base.npy'} {CORES}")
        if task.metric in ("hamming", "jaccard") or task.queries == 1:
            return read["ms"]
        products = task.rows * task.dims * task.queries
        return max(read["ms"], self.ask(f"multiply {products} {CORES}")["ms"])


def recall(task: Task, folder: Path, wanted: list, found: list) -> float:
    """The part of a peer's rows that are right: rows of npk's answer, or as good as its last."""
    import ml_dtypes
    import npk

    base, queries = open_data(task, folder)
    if task.dtype == "bfloat16":
        base, queries = base.view(ml_dtypes.bfloat16), queries.view(ml_dtypes.bfloat16)
    right, total = 0, 0
    for query, ours, theirs in zip(queries, wanted, found, strict=False):
        total += len(theirs)
        right += len(set(theirs) & set(ours))
        others = sorted(set(theirs) - set(ours))
        if not others or min(others) < 0 or max(others) >= task.rows:
            continue
        engine = npk.VectorEngine()
        last = engine.compute_metric(base[ours[-1]], query, task.metric)
        scores = engine.batch_compute(query, np.ascontiguousarray(base[others]), task.metric)
        right += int(np.sum(np.abs(scores - last) <= 1e-6 * max(1.0, abs(last))))
    return right / max(total, 1)


class Comparison:
    def __init__(self, quick: bool):
        self.rounds = 9 if quick else 15
        self.budget_ms = 3_000 if quick else 8_000
        self.limit_ms = 800 if quick else 4_000  # What takes longer is asked once.
        self.peers = [Peer(name, setting) for name, (_, settings) in PEERS.items()
                      for setting in settings]
        self.probe = Probe()
        self.rows: list[dict] = []
        self.scratch = Path(tempfile.mkdtemp(prefix="npk-peers-", dir="/dev/shm"))
        self.data_key = None

    def close(self) -> None:
        for process in (*self.peers, self.probe):
            process.close()
        shutil.rmtree(self.scratch)

    def folder(self, task: Task) -> Path:
        """The task's data; those of another size or type are gone."""
        path = self.scratch / task.data_key
        if task.data_key != self.data_key:
            shutil.rmtree(self.scratch)
            path.mkdir(parents=True)
            make_data(task, path)
            self.data_key = task.data_key
        return path

    def measure(self, task: Task) -> None:
        folder = self.folder(task)
        taking_part, times, recalls, found_ms = [], {}, {}, {}
        answer = None
        for peer in self.peers:
            if (task.plan == "numpack" and peer.name not in ("npk", "NumPack", "NumPy")
                    or peer.expected_ms(task) > 2 * self.limit_ms):
                continue
            found = peer.prepare(task, folder)
            if not found["offered"]:
                continue
            if found["rows"]:
                answer = answer or found["rows"]
                recalls[peer] = recall(task, folder, answer, found["rows"])
            taking_part.append(peer)
            found_ms[peer] = found["ms"]
            # What is slow beyond the limit is not asked again.
            times[peer] = [found["ms"]] if found["ms"] > self.limit_ms else []
        turns = [peer for peer in taking_part if not times[peer]]
        floors = []
        for turn in range(self.rounds_of(found_ms, turns)):
            floors.append(self.probe.floor_ms(task, folder))
            first = turn % max(len(turns), 1)
            for peer in turns[first:] + turns[:first]:
                time.sleep(PAUSE_S)
                times[peer].append(peer.ask('{"run": true}')["ms"])
        floor = statistics.median(floors) if task.kind != "pair" else None
        self.tell(task, {peer: statistics.median(times[peer]) for peer in taking_part}, floor,
                  recalls)

    def rounds_of(self, found_ms: dict, turns: list) -> int:
        """As many as the task's share of the time allows, at least 3."""
        one_ms = sum(found_ms[peer] for peer in turns)
        return max(3, min(self.rounds, int(self.budget_ms / max(one_ms, 0.1))))

    def tell(self, task: Task, medians: dict, floor: float | None, recalls: dict) -> None:
        for peer, ms in medians.items():
            ratio = floor / ms if floor else None
            row = {"suite": SUITE, "name": f"{task.name}: {peer.title}", "value": ms, "unit": "ms",
                   "floor": floor, "ratio": ratio, "bar": None, "holds": True,
                   "recall": recalls.get(peer)}
            self.rows.append(row)
            low = row["recall"] is not None and row["recall"] < 1
            print(f"{row['name']:<82} {ms:10.3f} ms  {f'{ratio:.3f}' if ratio else '':>6}"
                  f"{'  recall ' + format(row['recall'], '.3f') if low else ''}", flush=True)
        by_title = {peer.title: ms for peer, ms in medians.items()}
        for versus, bar in bars(task, by_title):
            against(self.rows, task.name, by_title["npk"], versus, by_title[versus], bar)


def bars(task: Task, medians: dict[str, float]) -> list[tuple[str, float]]:
    """Whom npk promises to be how much faster than, of those that took part."""
    floor = "OpenBLAS sgemm alone"
    others = [title for title in medians if title not in ("npk", floor)]
    if not others:
        return []
    if task.plan == "numpack":
        theirs = [title for title in others if title.startswith("NumPack")]
        return [(min(theirs, key=medians.get), 3.0)] if theirs else []
    best = min(others, key=medians.get)
    if task.queries == 1:
        promised = [(best, 1.0)]
        if task.metric in ("hamming", "jaccard"):
            promised += [("faiss, best", 2.0), ("NumKong", 1.1)]
    elif task.queries == 10:
        promised = [(best, 2.0)]
    else:
        promised = [(best, 1.0)]
        if task.queries == 100 and task.dims >= 512 and task.k == 10:
            promised += [(floor, 1.2), ("faiss, best", 1.4), ("faiss, default", 4.0)]
    return [(title, bar) for title, bar in promised if title in medians]


def against(rows: list[dict], name: str, ours: float, title: str, theirs: float,
            bar: float) -> None:
    holds = theirs / ours >= bar
    rows.append({"suite": SUITE, "name": f"{name}: npk against {title}", "value": ours,
                 "unit": "ms", "floor": theirs, "ratio": theirs / ours, "bar": bar, "holds": holds})
    print(f"{rows[-1]['name']:<82} {theirs / ours:10.2f} x   bar {bar}"
          f"  {'holds' if holds else 'MISSED'}", flush=True)


def mean_row(rows: list[dict]) -> dict | None:
    """One query, all tasks: the geometric mean of npk against the best peer of each."""
    ratios = [row["ratio"] for row in rows
              if "1 query" in row["name"] and row["bar"] == 1.0 and "NumPack's" not in row["name"]]
    if not ratios:
        return None
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    return {"suite": SUITE, "name": f"{MEAN}: npk against the best of each",
            "value": mean, "unit": "x", "floor": None, "ratio": mean, "bar": 1.1,
            "holds": mean >= 1.1}


def write(path: Path, rows: list[dict], kept: list[dict]) -> None:
    """`rows`, and those of `kept` whose tasks they are not about, in the tasks' order, and the mean
    of all."""
    def task(row):
        return row["name"].rsplit(": ", 1)[0]

    measured = {task(row) for row in rows}
    place = {task.name: i for i, task in enumerate(all_tasks(quick=False))}
    together = [row for row in kept if task(row) not in measured and task(row) in place] + rows
    together.sort(key=lambda row: place[task(row)])
    mean = mean_row(together)
    path.write_text(json.dumps(together + ([mean] if mean else []), indent=1) + "\n",
                    encoding="utf-8")


def all_tasks(quick: bool) -> list[Task]:
    return search_tasks(quick) + numpack_tasks(quick)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--filter", action="append", default=[])
    options = parser.parse_args()
    exists = options.json and options.json.exists()
    kept = json.loads(options.json.read_text(encoding="utf-8")) if exists else []
    tasks = [task for task in all_tasks(options.quick)
             if not options.filter or any(text in task.name for text in options.filter)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Tidies up as an error would.
    comparison = Comparison(options.quick)
    try:
        for task in tasks:
            comparison.measure(task)
            if options.json:  # After each task: a run that is cut off has not been for nothing.
                write(options.json, comparison.rows, kept if options.merge else [])
    finally:
        comparison.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
