"""Arrays go into a store and come back: every element type, shape, stride; views cost no copy."""

import gc

import ml_dtypes
import numpy as np
import pytest

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "complex64", "complex128", ml_dtypes.bfloat16]


def some(rng, dtype, shape):
    count = int(np.prod(shape))
    if np.dtype(dtype) == bool:
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.integers(0, 100, count).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
def test_every_element_type_comes_back_as_it_was(store, rng, dtype):
    array = some(rng, dtype, (7, 3))
    store.save({"a": array})
    for found in (store.load("a"), store.view("a"), store.read_rows("a", None)):
        assert found.dtype == np.dtype(dtype) and np.array_equal(found, array)
    assert store.metadata("a").dtype == np.dtype(dtype).name


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (4, 0), (1,), (3, 1, 2), (1,) * 32])
def test_every_shape_comes_back_as_it_was(store, rng, shape):
    array = some(rng, "float32", shape)
    store.save({"a": array})
    assert store.load("a").shape == shape == store.shape("a") == store.metadata("a").shape
    assert np.array_equal(store.load("a"), array) and np.array_equal(store.view("a"), array)


def test_arrays_of_any_strides_are_taken(store, rng):
    a = some(rng, "int32", (8, 6))
    packed = np.zeros(5, dtype=[("pad", "u1"), ("x", "f8")])
    packed["x"] = np.arange(5)
    strided = {"t": a.T, "reversed": a[::-2, ::-1], "fortran": np.asfortranarray(a),
               "broadcast": np.broadcast_to(a[0], (4, 6)), "foreign": a.astype(">i4"),
               "unaligned": packed["x"], "list": [[1, 2], [3, 4]],
               "bfloat16": a.astype(ml_dtypes.bfloat16)[::2, ::3]}
    store.save(strided)
    for name, array in strided.items():
        assert np.array_equal(store.load(name), array), name


def test_a_loaded_array_is_the_callers_own(store):
    store.save({"a": np.zeros(4)})
    loaded = store.load("a")
    loaded[:] = 1
    assert not store.load("a").any()


def test_a_view_is_read_only_and_shows_what_is_replaced_later(store):
    store.save({"a": np.zeros((4, 2))})
    view = store.view("a")
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    store.replace({"a": np.ones((1, 2))}, 3)
    assert view[3].tolist() == [1, 1]


def test_a_view_outlives_its_store_and_its_array(npk, tmp_path):
    with npk.Store(tmp_path / "s") as store:
        store.save({"a": np.arange(1000)})
        view = store.view("a")
        part = view[10:20]
        store.drop("a")
    del store, view
    gc.collect()
    assert part.tolist() == list(range(10, 20))


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([None]),
                                   np.array(["2026-01-01"], "datetime64[D]"),
                                   np.zeros(2, dtype=[("x", "f4")])])
def test_elements_that_are_not_known_are_refused_by_name(store, array):
    with pytest.raises(TypeError, match="known types: bool, uint8"):
        store.save({"good": np.zeros(2), "bad": array})
    assert store.list() == []


def test_bfloat16_without_ml_dtypes_says_what_to_install(store, monkeypatch):
    store.save({"a": np.zeros(2, ml_dtypes.bfloat16)})
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match="pip install ml_dtypes"):
        store.load("a")


def test_checksums_are_a_choice_that_overwrites_keep(store):
    store.save({"a": np.zeros(3), "b": np.zeros(3)}, checksums="block")
    store.save({"c": np.zeros(3)})
    store.save({"a": np.ones(5)})
    store.save({"b": np.ones(5)}, checksums="none")
    assert [store.metadata(name).checksums for name in "abc"] == ["block", "none", "none"]
    assert np.array_equal(store.load("a"), np.ones(5))
    with pytest.raises(ValueError, match="none and block"):
        store.save({"d": np.zeros(3)}, checksums="rows")
    assert not store.has("d")
