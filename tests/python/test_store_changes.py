"""npk.Store changes arrays as a list of rows would, and says what is wrong as Python does."""

import os
import threading

import numpy as np
import pytest


@pytest.fixture
def rows(store, rng):
    array = rng.standard_normal((20, 3)).astype(np.float32)
    store.save({"a": array})
    return array


SELECTIONS = [3, -1, np.int64(5), slice(None), slice(2, 9, 3), slice(None, None, -4), slice(50, 60),
              [0, 4, -2], (1, 1), np.array([7, 2], np.uint8), [], np.arange(20) % 3 == 0, None]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_rows_are_chosen_as_numpy_chooses_them(store, rows, selection):
    if selection is None:
        expected = rows
    elif isinstance(selection, slice):
        expected = rows[selection]
    else:
        expected = rows[np.atleast_1d(np.asarray(selection, bool if isinstance(
            selection, np.ndarray) and selection.dtype == bool else np.int64))]
    assert np.array_equal(store.read_rows("a", selection), expected)
    assert np.array_equal(store.getitem("a", selection), expected)


@pytest.mark.parametrize(("selection", "error"), [
    (20, IndexError), ([0, -21], IndexError), (np.ones(19, bool), ValueError), ("0", TypeError),
    ([0.5], TypeError), ([[0]], TypeError), (True, TypeError), (slice(0, 5, 0), ValueError),
    ([2**63], OverflowError), (2**70, OverflowError), (slice("x"), TypeError),
], ids=str)
def test_what_is_no_selection_is_refused(store, rows, selection, error):
    with pytest.raises(error):
        store.read_rows("a", selection)
    with pytest.raises(error):
        store.drop("a", selection)
    assert np.array_equal(store.load("a"), rows)


def test_append_replace_drop_compact_and_clone(store, rows):
    store.append({"a": rows[:2]})
    model = np.concatenate([rows, rows[:2]])
    store.replace({"a": rows[:3]}, [5, -1, 0])
    model[[5, -1, 0]] = rows[:3]
    store.drop("a", slice(1, 3))
    model = np.delete(model, slice(1, 3), axis=0)
    assert np.array_equal(store.load("a"), model)
    assert store.metadata("a").deleted_rows == 2
    with pytest.raises(RuntimeError, match="compact"):
        store.view("a")
    store.compact("a")
    assert store.metadata("a").deleted_rows == 0
    assert np.array_equal(store.view("a"), model)
    store.clone("a", "b")
    assert np.array_equal(store.load("b"), model) and store.list() == ["a", "b"]


def test_appends_to_several_arrays_are_one_commit(store, rows):
    store.save({"ids": np.arange(20)})
    with pytest.raises(ValueError, match="int64|type"):
        store.append({"a": rows[:1], "ids": np.array([0.5])})
    assert store.shape("a") == (20, 3)
    store.append({"a": rows[:1], "ids": np.array([20])})
    store.drop(["a", "ids"], [0])
    assert store.shape("a") == (20, 3) and store.shape("ids") == (20,)


def test_a_store_is_a_container_of_names(store, rows):
    assert "a" in store and "b" not in store and store.has("a")
    assert len(store) == 1 and list(store) == ["a"]
    store.drop("a")
    assert len(store) == 0
    store.save({"x": rows, "y": rows})
    store.reset()
    assert store.list() == []


def test_attributes_are_a_dict(store, rows):
    assert store.attributes("a") == {}
    store.set_attributes("a", {"model": "x", "dims": [1, 2], "none": None})
    assert store.attributes("a") == {"model": "x", "dims": [1, 2], "none": None}


def test_a_stream_gives_the_rows_as_of_its_start(store, rows):
    stream = store.stream("a", 6)
    store.drop("a", 0)
    blocks = list(stream)
    assert [len(b) for b in blocks] == [6, 6, 6, 2]
    assert np.array_equal(np.concatenate(blocks), rows)
    with pytest.raises(ValueError, match="must not be negative"):
        store.stream("a", -1)


def test_errors_are_those_of_python(npk, store, rows, tmp_path):
    with pytest.raises(KeyError, match="no array 'b'"):
        store.load("b")
    with pytest.raises(KeyError):
        store.drop("b")
    with pytest.raises(FileExistsError):
        store.clone("a", "a")
    with pytest.raises(FileNotFoundError, match="missing"):
        npk.Store(tmp_path / "missing", create=False)
    with pytest.raises(ValueError, match="known modes: none, process, power"):
        npk.Store(tmp_path / "x", mode="fast")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises((RuntimeError, OSError)):
        npk.Store(tmp_path / "file")


def test_a_damaged_store_is_a_corruption_error(npk, tmp_path):
    with npk.Store(tmp_path / "d") as store:
        store.save({"a": np.zeros(3)})
    path = tmp_path / "d" / "STORE"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    damaged[16] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(npk.CorruptionError, match="STORE"):
        npk.Store(tmp_path / "d")
    assert issubclass(npk.CorruptionError, OSError)


@pytest.mark.parametrize("mode", ["none", "process", "power"])
def test_what_is_saved_is_there_when_the_store_is_opened_again(npk, tmp_path, mode):
    path = tmp_path / "again"
    with npk.Store(os.fsencode(path), mode) as store:
        store.save({"a": np.arange(5)})
        store.sync()
    with npk.Store(str(path), read_only=True) as store:
        assert store.path == str(path) and "again" in repr(store)
        assert store.load("a").tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(RuntimeError):
            store.append({"a": np.arange(2)})
    with pytest.raises(RuntimeError):
        store.load("a")


def test_progress_can_cancel_and_its_errors_are_raised(store, rows):
    store.drop("a", [1])
    with pytest.raises(RuntimeError, match="cancel"):
        store.compact("a", progress=lambda done, total: False)
    with pytest.raises(ZeroDivisionError):
        store.compact("a", progress=lambda done, total: 1 / 0)
    assert store.metadata("a").deleted_rows == 1
    seen = []
    store.compact("a", progress=lambda done, total: seen.append((done, total)))
    assert seen and seen[-1][0] == seen[-1][1] and store.metadata("a").deleted_rows == 0


def test_threads_read_while_another_writes(store, rows):
    failures = []

    def read():
        try:
            for _ in range(200):
                assert len(store.load("a")) >= 20
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        store.append({"a": rows[:1]})
    for thread in threads:
        thread.join()
    assert not failures and store.shape("a") == (120, 3)


@pytest.mark.parametrize("name", [5, None, b"a", ("a",)])
def test_a_name_that_is_no_text_is_a_type_error(store, rows, name):
    for call in (lambda: store.save({name: rows}), lambda: store.append({name: rows}),
                 lambda: store.drop([name])):
        with pytest.raises(TypeError, match="an array's name is a str, not <class"):
            call()
    with pytest.raises(UnicodeEncodeError):
        store.save({"\udcff": rows})
    assert list(store) == ["a"]


def test_what_is_printed_tells_what_it_is(store, rows):
    since = store.commit_number
    store.append({"a": rows[:2]})
    assert repr(store.metadata("a")) == "npk.ArrayMetadata('a', float32 (22, 3))"
    assert repr(store.rows_changed_since("a", since)) == (
        f"npk.RowChanges(commit_number={store.commit_number}, rows=22, everything=False, "
        "changed=2 rows, deleted=0 rows)")
    with store.snapshot() as snapshot:
        assert repr(snapshot) == f"npk.Snapshot(commit_number={store.commit_number})"
    batch = store.batch()
    batch.drop("a", [0])
    assert repr(batch) == "npk.Batch(operations=1)"
