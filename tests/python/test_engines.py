"""The engines answer as NumPy's float64 does, from arrays of any kind and from stores."""

import inspect
import threading

import ml_dtypes
import numpy as np
import pytest


def reference(base, query, metric):
    """float64 scores of every row."""
    if metric in ("hamming", "jaccard"):
        a, b = np.unpackbits(base, axis=1), np.unpackbits(query)
        if metric == "hamming":
            return (a != b).sum(1).astype(float)
        return 1 - (a & b).sum(1) / (a | b).sum(1)
    a, b = base.astype(np.float64), query.astype(np.float64)
    return {
        "dot": lambda: a @ b, "l2sq": lambda: ((a - b) ** 2).sum(1),
        "l2": lambda: np.sqrt(((a - b) ** 2).sum(1)),
        "cosine": lambda: (a @ b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b),
    }[metric]()


CASES = [(dtype, metric) for dtype in ("float64", "float32", "float16", ml_dtypes.bfloat16, "int8",
                                       "uint8", "int32")
         for metric in ("cosine", "dot", "l2", "l2sq")] + [("uint8", "hamming"),
                                                           ("uint8", "jaccard")]


def ids(value):
    return value if isinstance(value, str) else np.dtype(value).name


@pytest.fixture
def engine(npk):
    return npk.VectorEngine()


@pytest.fixture
def streaming(npk):
    return npk.StreamingVectorEngine()


def some(rng, dtype, shape):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(1, 100, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(("dtype", "metric"), CASES, ids=ids)
def test_every_type_and_metric_is_answered_alike_everywhere(engine, streaming, store, rng, dtype,
                                                            metric):
    base, queries = some(rng, dtype, (300, 24)), some(rng, dtype, (3, 24))
    larger = metric in ("cosine", "dot")
    expected = np.stack([reference(base, query, metric) for query in queries])
    store.save({"a": base})

    scores = engine.batch_compute(queries, base, metric)
    assert scores.dtype == np.float64 and np.allclose(scores, expected, rtol=1e-12, atol=1e-12)
    assert np.array_equal(engine.batch_compute(queries[0], base, metric), scores[0])
    assert np.array_equal(streaming.streaming_batch_compute(queries, store, "a", metric), scores)
    assert engine.compute_metric(base[7], queries[0], metric) == pytest.approx(expected[0, 7])

    order = np.argsort(-scores if larger else scores, axis=1, kind="stable")[:, :5]
    rows, found = engine.multi_query_top_k(queries, base, metric, 5)
    assert rows.dtype == np.uint64 and found.dtype == np.float64
    assert np.array_equal(rows, order)
    assert np.array_equal(found, np.take_along_axis(scores, order, 1))
    for answer in (engine.top_k_search(queries[0], base, metric, 5),
                   streaming.streaming_top_k_from_file(queries[0], store, "a", metric, 5)):
        assert np.array_equal(answer[0], rows[0]) and np.array_equal(answer[1], found[0])
    again = streaming.streaming_multi_query_top_k(queries, store, "a", metric, 5)
    assert np.array_equal(again[0], rows) and np.array_equal(again[1], found)


def test_strides_lists_and_mixed_types_make_no_difference(engine, rng):
    base, query = some(rng, "float32", (100, 16)), some(rng, "float32", (16,))
    expected = engine.top_k_search(query, base, "dot", 7)
    wide = np.zeros((200, 32), np.float32)
    wide[::2, ::2] = base
    for same in (wide[::2, ::2], np.asfortranarray(base), base.tolist(), base.astype(np.float64),
                 base[::-1][::-1]):
        for found, wanted in zip(engine.top_k_search(query.tolist(), same, "DOT", 7), expected,
                                 strict=True):
            assert np.array_equal(found, wanted)


@pytest.mark.parametrize("where", [
    np.arange(100) % 3 == 0, [5, 1, 99, -3], slice(20, 40), slice(None, None, -7), slice(90, 500),
    8, np.zeros(100, bool), [],
], ids=str)
def test_where_leaves_only_the_chosen_rows(engine, streaming, store, rng, where):
    base, query = some(rng, "float32", (100, 8)), some(rng, "float32", (8,))
    store.save({"a": base})
    chosen = np.zeros(100, bool)
    chosen[np.asarray(where, int) if isinstance(where, list) else where] = True
    rows, scores = engine.top_k_search(query, base, "l2", 10, where=where)
    every, all_scores = engine.top_k_search(query, base, "l2", 100)
    keep = chosen[every.astype(int)]
    assert np.array_equal(rows, every[keep][:10]) and np.array_equal(scores, all_scores[keep][:10])
    again, _ = streaming.streaming_top_k_from_file(query, store, "a", "l2", 10, where=where)
    assert np.array_equal(again, rows)


def test_thresholds_leave_only_what_passes(engine, streaming, store, rng):
    base, queries = some(rng, "float32", (200, 8)), some(rng, "float32", (2, 8))
    store.save({"a": base})
    scores = engine.batch_compute(queries, base, "dot")
    limit = np.sort(scores[0])[-4]
    rows, found = engine.range_search(queries[0], base, "dot", min_score=limit)
    assert set(rows) == set(np.flatnonzero(scores[0] >= limit)) and (found >= limit).all()
    again, _ = streaming.streaming_range_search(queries[0], store, "a", "dot", min_score=limit)
    assert np.array_equal(again, rows)
    rows, found = engine.multi_query_top_k(queries, base, "dot", 200, min_score=limit)
    counts = (scores >= limit).sum(1)
    assert rows.shape == (2, counts.max())
    for i, count in enumerate(counts):
        assert np.isnan(found[i, count:]).all() and (rows[i, count:] == 2**64 - 1).all()
        assert not np.isnan(found[i, :count]).any()


def test_segments_give_the_answer_of_the_whole(engine, rng):
    base, query = some(rng, "float32", (103, 8)), some(rng, "float32", (8,))
    rows, scores = np.zeros(0, np.uint64), np.zeros(0)
    for first in range(0, 103, 25):
        rows, scores = engine.segmented_top_k_search(
            query, base[first:first + 25], first, rows, scores, "cosine", 6)
    whole = engine.top_k_search(query, base, "cosine", 6)
    assert np.array_equal(rows, whole[0]) and np.array_equal(scores, whole[1])


def test_deleted_rows_are_not_found_and_a_path_is_opened(streaming, store, rng):
    base = some(rng, "float32", (50, 8))
    store.save({"a": base})
    store.drop("a", 7)
    rows, scores = streaming.streaming_top_k_from_file(base[7], store, "a", "l2", 1)
    assert scores[0] > 0
    rows, scores = streaming.streaming_top_k_from_file(base[8], store.path, "a", "l2", 1)
    assert rows.tolist() == [7] and scores.tolist() == [0]


def test_small_and_large_k(engine, rng):
    base, query = some(rng, "float32", (5, 4)), some(rng, "float32", (4,))
    assert engine.top_k_search(query, base, k=0)[0].shape == (0,)
    assert engine.top_k_search(query, base, k=10**30)[0].shape == (5,)
    assert engine.top_k_search(query, base[:0])[0].shape == (0,)
    assert engine.multi_query_top_k(np.zeros((0, 4)), base)[0].shape == (0, 0)


@pytest.mark.parametrize(("arguments", "error", "text"), [
    ({"query": np.ones(5)}, ValueError, "dimensions"),
    ({"query": np.array([1, np.nan, 0, 0])}, ValueError, "NaN"),
    ({"metric": "nearest"}, ValueError, "unknown metric"),
    ({"metric": "hamming"}, ValueError, "uint8"),
    ({"k": -1}, ValueError, "negative"),
    ({"k": 1.5}, TypeError, "integer"),
    ({"threads": -2}, ValueError, "negative"),
    ({"where": [9]}, IndexError, "9"),
    ({"where": np.ones(4, bool)}, ValueError, "4"),
    ({"max_distance": 1.0, "metric": "dot"}, ValueError, "min_score"),
    ({"candidates": np.ones((5, 4), np.complex64)}, ValueError, "complex64"),
    ({"candidates": np.array([["a"] * 4])}, TypeError, "known types"),
    ({"candidates": np.ones(4)}, ValueError, "shape|axes|axis"),
], ids=lambda value: str(value)[:40])
def test_what_cannot_be_searched_says_why(engine, streaming, store, arguments, error, text):
    usual = {"query": np.ones(4), "candidates": np.ones((5, 4)), "metric": "dot", "k": 2}
    with pytest.raises(error, match=text):
        engine.top_k_search(**(usual | arguments))
    arguments = dict(arguments)
    base = arguments.pop("candidates", np.ones((5, 4)))
    if error is not TypeError or "k" in arguments:
        store.save({"a": base})
        del usual["candidates"]
        with pytest.raises(error, match=text):
            streaming.streaming_top_k_from_file(store=store, name="a", **(usual | arguments))


def test_a_missing_array_or_store_is_named(streaming, store, tmp_path):
    with pytest.raises(KeyError, match="'b'"):
        streaming.streaming_top_k_from_file(np.ones(4), store, "b")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        streaming.streaming_top_k_from_file(np.ones(4), tmp_path / "nowhere", "b")


def test_progress_is_told_cancels_and_raises(engine, rng):
    base = some(rng, "float32", (100_000, 16))
    seen = []
    engine.top_k_search(base[0], base, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100_000, 100_000)
    with pytest.raises(RuntimeError, match="cancel"):
        engine.top_k_search(base[0], base, progress=lambda done, total: False)
    with pytest.raises(ZeroDivisionError):
        engine.top_k_search(base[0], base, progress=lambda done, total: 1 / 0)


def test_a_search_lets_other_threads_run(engine, rng):
    base = some(rng, "float32", (400_000, 64))
    reached = threading.Event()
    told = []

    def progress(done, total):
        # Only if the search released the GIL can the other thread set this meanwhile.
        told.append(reached.wait(30))
        return False

    other = threading.Thread(target=reached.set)
    other.start()
    with pytest.raises(RuntimeError):
        engine.top_k_search(base[0], base, progress=progress)
    other.join()
    assert told and all(told)


def test_the_number_of_threads_makes_no_difference(engine, rng):
    base, query = some(rng, "float32", (5000, 33)), some(rng, "float32", (33,))
    answers = [engine.top_k_search(query, base, k=50, threads=n) for n in (1, 2, 7, 2**40)]
    assert all(np.array_equal(a[0], answers[0][0]) and np.array_equal(a[1], answers[0][1])
               for a in answers)


def test_what_the_module_tells_of_itself(npk, engine, streaming):
    assert npk.metrics() == ["cosine", "dot", "l2", "l2sq", "hamming", "jaccard", "kl", "js"]
    assert npk.simd_target() in engine.capabilities() == streaming.capabilities()
    for kind in (npk.Store, npk.VectorEngine, npk.StreamingVectorEngine):
        public = [m for n, m in inspect.getmembers(kind) if not n.startswith("_")]
        assert public and all(inspect.getdoc(member) for member in public)
