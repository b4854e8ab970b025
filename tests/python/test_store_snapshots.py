"""npk.Store: snapshots, the change feed and batches."""

import numpy as np
import pytest


@pytest.fixture
def rows(store, rng):
    array = rng.standard_normal((30, 4)).astype(np.float32)
    store.save({"a": array})
    return array


def test_a_snapshot_shows_the_store_as_it_was(store, rows):
    with store.snapshot() as snapshot:
        assert snapshot.commit_number == store.commit_number
        store.replace({"a": np.zeros((3, 4), np.float32)}, [0, 5, -1])
        store.append({"a": rows[:2]})
        store.drop("a", slice(2, 8))
        store.compact("a")
        store.save({"b": np.arange(3)})
        assert np.array_equal(snapshot.load("a"), rows)
        assert np.array_equal(snapshot.read_rows("a", [5, -1]), rows[[5, -1]])
        assert np.array_equal(np.concatenate(list(snapshot.stream("a", 7))), rows)
        assert list(snapshot) == ["a"] and "b" not in snapshot and len(snapshot) == 1
        assert snapshot.shape("a") == (30, 4)
        assert snapshot.metadata("a").deleted_rows == 0 and snapshot.attributes("a") == {}
        assert store.shape("a") == (26, 4)
    with pytest.raises(RuntimeError, match="closed"):
        snapshot.load("a")


def test_a_snapshot_outlives_its_store(npk, tmp_path):
    rows = np.arange(12).reshape(6, 2)
    with npk.Store(tmp_path / "other.npk") as store:
        store.save({"c": rows})
        snapshot = store.snapshot()
    assert np.array_equal(snapshot.load("c"), rows)


def test_searches_take_a_snapshot(npk, store, rows):
    engine = npk.StreamingVectorEngine()
    before = engine.streaming_top_k_from_file(rows[7], store, "a", "l2", 5)
    with store.snapshot() as snapshot:
        store.replace({"a": rows[::-1]}, None)
        found = engine.streaming_top_k_from_file(rows[7], snapshot, "a", "l2", 5)
    assert np.array_equal(found[0], before[0]) and np.array_equal(found[1], before[1])
    assert engine.streaming_top_k_from_file(rows[7], store, "a", "l2", 1)[0][0] == 22


def test_a_copy_follows_the_change_feed(store, rows, rng):
    copy, number = store.load("a"), store.commit_number
    for step in range(40):
        if step % 3 == 0:
            store.append({"a": rng.standard_normal((2, 4)).astype(np.float32)})
        store.replace({"a": np.full((2, 4), step, np.float32)}, [step % 5, -1 - step % 3])
        store.drop("a", [step % 7])
        if step % 5 == 0:
            store.sync()
        if step % 4:
            continue
        changes = store.rows_changed_since("a", number)
        assert not changes.everything
        copy = np.delete(copy, changes.deleted.astype(np.int64), axis=0)
        copy = np.resize(copy, (changes.rows, 4))
        copy[changes.changed] = store.read_rows("a", changes.changed)
        number = changes.commit_number
        assert np.array_equal(copy, store.load("a"))
    store.compact("a")
    assert store.rows_changed_since("a", number).everything
    with pytest.raises(KeyError):
        store.rows_changed_since("b", 0)


def test_a_batch_is_one_commit(store, rows):
    number = store.commit_number
    with store.batch() as batch:
        batch.append("a", rows[:3])
        batch.replace("a", rows[:1] * 2, [4])
        batch.drop("a", [0])
        batch.save("b", np.arange(5))
        batch.set_attributes("b", {"unit": "m"})
        assert len(batch) == 5
        assert store.commit_number == number
    assert store.shape("a") == (32, 4) and store.attributes("b") == {"unit": "m"}
    assert np.array_equal(store.read_rows("a", [3]), rows[:1] * 2)
    with store.batch() as batch:
        batch.drop("b")
    assert not store.has("b")


def test_a_batch_that_fails_or_is_given_up_does_nothing(store, rows):
    number = store.commit_number
    with pytest.raises(KeyError, match="missing"):
        with store.batch() as batch:
            batch.append("a", rows[:1])
            batch.append("missing", rows[:1])
    with pytest.raises(ZeroDivisionError):
        with store.batch() as batch:
            batch.drop("a")
            raise ZeroDivisionError
    assert store.commit_number == number and store.shape("a") == (30, 4)
