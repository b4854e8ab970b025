"""How each peer is asked, at its default and at its best.

An adapter (task, base, queries, folder, best) gives ways to answer, [(label, call)], or none if the
peer does not offer the task.

A call of a top-k task answers with the rows of shape (queries, k). Settings that are read when a
process starts are in ENVIRONMENT; "best" tries every way once and keeps the fastest.
"""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from peer_tasks import BITS

# OpenBLAS does not know every processor and runs a core type's instructions without asking whether
# there are any: its kernels for AVX-512 where that is, else those for AVX2, else its own choice.
CORE_TYPES = {"avx512vl": "SkylakeX", "avx2": "Haswell"}


def best_environment(cpu_flags: set[str]) -> dict[str, str]:
    """What lets OpenBLAS and OpenMP do their best on a processor with such flags."""
    found = [kind for flag, kind in CORE_TYPES.items() if flag in cpu_flags]
    return {"OMP_WAIT_POLICY": "passive"} | ({"OPENBLAS_CORETYPE": found[0]} if found else {})


def cpu_flags() -> set[str]:
    """Those that Linux tells of the first processor; none where it calls them otherwise."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


ENVIRONMENT = {"best": best_environment(cpu_flags()), "default": {}}
CORES = os.cpu_count() or 1


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES)


def best_rows(scores: np.ndarray, k: int, larger: bool) -> np.ndarray:
    """(queries, k) from a matrix (queries, rows)."""
    if larger:
        scores = -scores
    k = min(k, scores.shape[1])
    some = np.argpartition(scores, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(scores, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)


def npk(task, base, queries, folder, best):
    import ml_dtypes
    import npk as package

    if task.dtype == "bfloat16":
        base, queries = base.view(ml_dtypes.bfloat16), queries.view(ml_dtypes.bfloat16)
    engine, streaming = package.VectorEngine(), package.StreamingVectorEngine()
    asked = queries[0] if task.queries == 1 else queries
    if task.kind == "pair":
        return [("", lambda: engine.compute_metric(base[0], base[1], task.metric))]
    if task.place == "store":
        store = package.Store(folder / "npk.npk")
        store.save({"rows": base})
        where = (asked, store, "rows", task.metric)
        if task.kind == "batch":
            return [("", lambda: streaming.streaming_batch_compute(*where))]
        if task.queries == 1:
            return [("", lambda: streaming.streaming_top_k_from_file(*where, task.k)[0][None])]
        return [("", lambda: streaming.streaming_multi_query_top_k(*where, task.k)[0])]
    if task.kind == "batch":
        return [("", lambda: engine.batch_compute(asked, base, task.metric))]
    if task.queries == 1:
        return [("", lambda: engine.top_k_search(asked, base, task.metric, task.k)[0][None])]
    return [("", lambda: engine.multi_query_top_k(asked, base, task.metric, task.k)[0])]


def faiss(task, base, queries, folder, best):
    import faiss as package

    if task.place == "store" or task.kind != "top-k":
        return []
    if task.metric == "hamming":
        def ask(threads):
            package.omp_set_num_threads(threads)
            return package.knn_hamming(queries, base, task.k)[1]
        return [(f"{n}T", lambda n=n: ask(n)) for n in ((1, CORES) if best else (CORES,))]
    known = {"dot": package.METRIC_INNER_PRODUCT, "l2sq": package.METRIC_L2}
    if task.dtype != "float32" or task.metric not in known:
        return []

    def search(threads, threshold):
        package.omp_set_num_threads(threads)
        if threshold is not None:
            package.cvar.distance_compute_blas_threshold = threshold
        return package.knn(queries, base, task.k, metric=known[task.metric])[1]

    if not best:
        return [("", lambda: search(CORES, None))]
    thresholds = {"never BLAS": 1 << 30, "BLAS": 1}
    return [(f"{n}T, {label}", lambda n=n, t=t: search(n, t))
            for n in (1, CORES) for label, t in thresholds.items()]


def usearch(task, base, queries, folder, best):
    from usearch.index import MetricKind, search

    known = {"dot": MetricKind.IP, "cosine": MetricKind.Cos, "l2sq": MetricKind.L2sq,
             "hamming": MetricKind.Hamming, "jaccard": MetricKind.Tanimoto}
    # Its NumPy interface has no bfloat16, and its product of uint8 is not that of the numbers.
    if (task.place == "store" or task.kind != "top-k" or task.metric not in known
            or task.dtype == "bfloat16" or (task.dtype == "uint8" and task.metric not in BITS)):
        return []
    return [(f"{n or 'all '}T", lambda n=n: search(base, queries, task.k, known[task.metric],
                                                   exact=True, threads=n).keys.reshape(
                                                       task.queries, -1))
            for n in ((0, 1, CORES) if best else (0,))]


def in_parts(ask, base, threads):
    """ask(part of base) on each of `threads` parts at once, put together along the rows."""
    if threads == 1:
        return np.asarray(ask(base))
    cuts = [len(base) * i // threads for i in range(threads + 1)]
    parts = pool().map(lambda i: np.asarray(ask(base[cuts[i]:cuts[i + 1]])), range(threads))
    return np.concatenate(list(parts))


def numkong(task, base, queries, folder, best):
    import numkong as package

    known = {"dot": "dot", "cosine": "angular", "l2sq": "sqeuclidean", "hamming": "hamming",
             "jaccard": "jaccard"}
    if task.place == "store" or task.kind != "top-k" or task.metric not in known:
        return []
    kind = {"dtype": "uint1"} if task.metric in BITS else (
        {"dtype": "bfloat16"} if task.dtype == "bfloat16" else {})

    def pairs(part):
        return package.cdist(part, queries, known[task.metric], **kind)

    def packed(part):
        if task.metric in BITS:
            asked = package.hammings_pack(queries)
            function = {"hamming": package.hammings_packed, "jaccard": package.jaccards_packed}
            return function[task.metric](part, asked)
        return package.dots_packed(part, package.dots_pack(queries))

    larger = task.metric == "dot"
    ways = [("1T", pairs, 1)]
    if best:
        ways += [(f"{CORES}T", pairs, CORES)]
        if task.metric in (*BITS, "dot") and task.dtype != "bfloat16":
            ways += [("packed, 1T", packed, 1), (f"packed, {CORES}T", packed, CORES)]
    return [(label, lambda ask=ask, n=n: best_rows(in_parts(ask, base, n).T, task.k, larger))
            for label, ask, n in ways]


def simsimd(task, base, queries, folder, best):
    import simsimd as package

    known = {"dot": "dot", "cosine": "cosine", "l2sq": "sqeuclidean", "hamming": "hamming",
             "jaccard": "jaccard"}
    kinds = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}
    kind = "bin8" if task.metric in BITS else kinds.get(task.dtype)
    if task.place == "store" or task.kind != "top-k" or task.metric not in known or not kind:
        return []

    def ask(threads):
        found = package.cdist(queries, base, metric=known[task.metric], dtype=kind, threads=threads)
        return best_rows(np.asarray(found).reshape(task.queries, -1), task.k, task.metric == "dot")

    return [(f"{n}T", lambda n=n: ask(n)) for n in ((1, CORES) if best else (1,))]


def hnswlib(task, base, queries, folder, best):
    import hnswlib as package

    known = {"dot": "ip", "cosine": "cosine", "l2sq": "l2"}
    if (task.place == "store" or task.kind != "top-k" or task.metric not in known
            or task.dtype != "float32"):
        return []
    index = package.BFIndex(known[task.metric], task.dims)
    index.init_index(task.rows)
    index.add_items(base)
    return [("", lambda: index.knn_query(queries, task.k)[0])]


def numpy_scores(task, base, queries):
    product = queries @ base.T if task.queries > 1 else (base @ queries[0])[None]
    if task.metric == "cosine":
        norms = np.linalg.norm(base, axis=1)
        return product / (np.linalg.norm(queries, axis=1)[:, None] * norms)
    return product


def numpy(task, base, queries, folder, best):
    if task.dtype not in ("float32", "float64") or task.metric in BITS or task.place == "store":
        return []
    if task.kind == "pair" or (task.metric not in ("dot", "cosine") and task.queries > 1):
        return []
    larger = task.metric in ("dot", "cosine")

    def scores():
        if larger:
            return numpy_scores(task, base, queries)
        difference = base - queries[0]
        squares = np.einsum("ij,ij->i", difference, difference)[None]
        return np.sqrt(squares) if task.metric == "l2" else squares

    if task.kind == "batch":
        return [("", scores)]
    return [("", lambda: best_rows(scores(), task.k, larger))]


def sgemm(task, base, queries, folder, best):
    """OpenBLAS's product alone, without any top-k: a floor, not an answer."""
    if (task.dtype != "float32" or task.metric != "dot" or task.queries < 10
            or task.plan != "search" or task.k != 10):
        return []
    return [("", lambda: queries @ base.T)]


def torch(task, base, queries, folder, best):
    import torch as package

    kinds = ("float32", "float64", "float16", "bfloat16")
    if (task.place == "store" or task.kind != "top-k" or task.dtype not in kinds
            or task.metric != "dot" or task.plan != "search"):
        return []

    warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # Nobody writes.

    def tensor(array):
        if task.dtype == "bfloat16":
            return package.from_numpy(array.view(np.int16)).view(package.bfloat16)
        return package.from_numpy(array)

    rows, asked = tensor(base), tensor(queries)

    def ask(threads):
        package.set_num_threads(threads)
        product = asked @ rows.T if task.queries > 1 else package.mv(rows, asked[0])[None]
        return package.topk(product, task.k).indices.numpy()

    return [(f"{n}T", lambda n=n: ask(n)) for n in ((1, CORES) if best else (CORES,))]


def numpack(task, base, queries, folder, best):
    from numpack import NumPack
    from numpack.vector_engine import StreamingVectorEngine, VectorEngine

    engine, streaming = VectorEngine(), StreamingVectorEngine()
    if task.dtype not in ("float32", "float64", "int8") or task.metric in BITS:
        return []
    asked = queries[0] if task.queries == 1 else queries
    if task.kind == "pair":
        return [("", lambda: engine.compute_metric(base[0], base[1], task.metric))]
    if task.place == "store":
        path = str(folder / "numpack")
        with NumPack(path) as store:
            store.save({"rows": base})
        where = (asked, path, "rows", task.metric)
        if task.kind == "batch":
            return [("", lambda: streaming.streaming_batch_compute(*where))]
        if task.queries == 1:
            return [("", lambda: streaming.streaming_top_k_from_file(*where, task.k)[0][None])]
        return [("", lambda: streaming.streaming_multi_query_top_k(*where, task.k)[0].reshape(
            task.queries, -1))]
    if task.kind == "batch":
        return [("", lambda: engine.batch_compute(asked, base, task.metric))]
    if task.queries == 1:
        return [("", lambda: engine.top_k_search(asked, base, task.metric, task.k)[0][None])]
    return [("", lambda: engine.multi_query_top_k(asked, base, task.metric, task.k)[0].reshape(
        task.queries, -1))]


# Name, adapter, settings it is measured with: both where OpenBLAS or OpenMP have a say. One
# process for each.
PEERS = {
    "npk": (npk, ("default",)),
    "faiss": (faiss, ("default", "best")),
    "usearch": (usearch, ("best",)),
    "NumKong": (numkong, ("best",)),
    "SimSIMD": (simsimd, ("best",)),
    "hnswlib": (hnswlib, ("default",)),
    "NumPy": (numpy, ("default", "best")),
    "PyTorch": (torch, ("default", "best")),
    "NumPack": (numpack, ("default", "best")),
    "OpenBLAS sgemm alone": (sgemm, ("best",)),
}
