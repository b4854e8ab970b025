"""What npk and its peers are asked: the tasks of the comparison, and the data they work on."""

from dataclasses import asdict, dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

BITS = ("hamming", "jaccard")
SIZES = ((1_000_000, 128), (200_000, 768), (100_000, 1536))


@dataclass(frozen=True)
class Task:
    """One row of the comparison: `kind` is top-k, batch (all scores) or pair (of two vectors);
    `place` is memory or store; `plan` is which list it belongs to."""

    rows: int
    dims: int
    dtype: str = "float32"
    metric: str = "dot"
    queries: int = 1
    k: int = 10
    kind: str = "top-k"
    place: str = "memory"
    plan: str = "search"

    @property
    def name(self) -> str:
        def short(count: int) -> str:
            for unit, letter in ((1_000_000, "M"), (1_000, "k")):
                if count >= unit and count % unit == 0:
                    return f"{count // unit}{letter}"
            return str(count)

        if self.kind == "pair":
            return f"NumPack's: {self.metric} of two vectors of {self.dims} {self.dtype}"
        what = f"{self.dims * 8} bits" if self.metric in BITS else f"{self.dims} {self.dtype}"
        asked = f"top-{self.k}" if self.kind == "top-k" else "all scores"
        prefix = "NumPack's: " if self.plan == "numpack" else ""
        many = "1 query" if self.queries == 1 else f"{self.queries} queries"
        place = ", store" if self.place == "store" else ""
        return f"{prefix}{short(self.rows)} x {what} {self.metric} {asked}, {many}{place}"

    @property
    def data_key(self) -> str:
        kind = "bits" if self.metric in BITS else self.dtype
        return f"{kind}-{self.rows}x{self.dims}"

    @property
    def family(self) -> tuple:
        """Tasks that differ in their number of queries and k alone have the same."""
        return (self.data_key, self.metric, self.kind, self.place, self.plan)

    def as_dict(self) -> dict:
        return asdict(self)


def search_tasks(quick: bool) -> list[Task]:
    tasks = []
    for rows, dims in SIZES:
        for queries in (1, 10, 100) if quick else (1, 10, 100, 1000):
            for k in (10,) if quick else (10, 100, 1000):
                tasks.append(Task(rows, dims, queries=queries, k=k))
    if quick:
        tasks += [Task(1_000_000, 128, k=1000)]
    for metric in ("cosine", "l2sq"):
        tasks += [Task(1_000_000, 128, metric=metric, queries=queries)
                  for queries in ((1,) if quick else (1, 100))]
    tasks += [Task(1_000_000, 128, dtype) for dtype in ("float64", "float16", "bfloat16", "int8",
                                                        "uint8")]
    tasks.append(Task(1_000_000, 256, "uint8", "jaccard"))
    tasks.append(Task(4_000_000, 128, "uint8", "hamming"))
    return tasks


def numpack_tasks(quick: bool) -> list[Task]:
    """The workloads of NumPack's vector_engine_baseline_bench and streaming_vector_search_bench."""

    def task(rows, dims, metric, **more):
        return Task(rows, dims, metric=metric, plan="numpack", **more)

    tasks = [task(2, dims, metric, kind="pair")
             for dims in (128, 512, 1024) for metric in ("dot", "cosine", "l2", "l2sq")]
    tasks += [task(rows, dims, metric, kind="batch")
              for rows, dims in ((10_000, 128), (100_000, 128), (10_000, 512))
              for metric in ("dot", "cosine", "l2", "l2sq")]
    tasks += [task(rows, 128, metric, k=k) for rows, k in ((10_000, 10), (100_000, 100))
              for metric in ("cosine", "dot", "l2")]
    tasks += [task(10_000, 128, metric, queries=100) for metric in ("cosine", "dot")]
    tasks += [task(10_000, 128, "cosine", dtype="float64", kind="batch")]
    tasks += [task(100_000, 128, "cosine", kind="batch", place="store"),
              task(100_000, 128, "cosine", place="store"),
              task(50_000, 128, "cosine", queries=100, place="store")]
    if not quick:
        tasks += [task(500_000, 128, "cosine", place="store"),
                  task(100_000, 256, "cosine", place="store")]
    return tasks


def make_data(task: Task, folder: Path) -> None:
    """base.npy and queries.npy in `folder`; bfloat16 as its bits. Seeds are fixed: the same data in
    every run."""
    random = np.random.default_rng(42)
    shape = (task.rows, task.dims)
    counts = max(1000, task.queries)
    if task.dtype in ("uint8", "int8"):
        base = random.integers(0, 256, shape, dtype=np.uint8).view(task.dtype)
        queries = random.integers(0, 256, (counts, task.dims), dtype=np.uint8).view(task.dtype)
    else:
        kind = np.float64 if task.dtype == "float64" else np.float32
        base = random.standard_normal(shape, dtype=kind)
        queries = random.standard_normal((counts, task.dims), dtype=kind)
        if task.dtype == "float16":
            base, queries = base.astype(np.float16), queries.astype(np.float16)
        elif task.dtype == "bfloat16":
            base = base.astype(ml_dtypes.bfloat16).view(np.uint16)
            queries = queries.astype(ml_dtypes.bfloat16).view(np.uint16)
    np.save(folder / "base.npy", base)
    np.save(folder / "queries.npy", queries)


def open_data(task: Task, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    base = np.load(folder / "base.npy", mmap_mode="r").view(np.ndarray)
    queries = np.ascontiguousarray(np.load(folder / "queries.npy")[: task.queries])
    return base, queries
