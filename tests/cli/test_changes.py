"""append, replace, delete, drop, clone, compact: what they change, and what they refuse."""

import numpy as np
import pytest
from conftest import BUSY, FAILURE, USAGE

WRITES = [[], ["--durability", "none"], ["--durability", "process"], ["--durability", "power"]]


@pytest.mark.parametrize("mode", WRITES, ids=lambda mode: mode[-1] if mode else "default")
def test_rows_are_appended_replaced_and_deleted(npk, rng, mode):
    model = npk.imported("a", rng.standard_normal((10, 3)).astype("f4"))
    more = npk.save("more.npy", rng.standard_normal((4, 3)).astype("f4"))
    answer = npk.json("append", "s.npk", "a", "more.npy", *mode)
    assert (answer["appended_rows"], answer["shape"]) == (4, [14, 3])
    model = np.concatenate([model, more])
    fixed = npk.save("fixed.npy", rng.standard_normal((3, 3)).astype("f4"))
    assert npk.json("replace", "s.npk", "a", "fixed.npy", "--rows", "0,-1,5",
                    *mode)["replaced_rows"] == 3
    model[[0, -1, 5]] = fixed
    answer = npk.json("delete", "s.npk", "a", "--rows", "1,3:5", *mode)
    assert answer["arrays"] == [{"array": "a", "shape": [11, 3], "deleted_rows": 3}]
    model = np.delete(model, [1, 3, 4], axis=0)
    np.testing.assert_array_equal(npk.exported("a"), model)
    assert npk("verify", "s.npk").out == ""


def test_messages_go_to_stderr_and_say_what_happened(npk):
    npk.imported("a", np.arange(3))
    npk.save("b.npy", np.array([7]))
    for arguments, says in [(["append", "s.npk", "a", "b.npy"], "appended 1 row to a: int64 (4,)"),
                            (["replace", "s.npk", "a", "b.npy", "--rows", "0"], "replaced 1 row"),
                            (["delete", "s.npk", "a", "--rows", ":2"], "deleted 2 rows of a"),
                            (["clone", "s.npk", "a", "c"], "cloned a to c"),
                            (["compact", "s.npk", "c"], "c has no deleted rows"),
                            (["compact", "s.npk"], "compacted a: 32 B to 16 B"),
                            (["drop", "s.npk", "a"], "dropped 1 array")]:
        outcome = npk(*arguments)
        assert outcome.out == "" and says in outcome.err, outcome


@pytest.mark.parametrize("order, byte_order", [("F", "<"), ("C", ">"), ("F", ">")])
def test_rows_of_any_order_are_appended_and_replaced(npk, rng, order, byte_order):
    model = npk.imported("a", rng.standard_normal((10, 3)))
    rows = np.array(rng.standard_normal((4, 3)), dtype=byte_order + "f8", order=order)
    npk.save("rows.npy", rows)
    npk("append", "s.npk", "a", "rows.npy")
    npk("replace", "s.npk", "a", "rows.npy", "--rows", "2:6")
    model[2:6] = rows
    np.testing.assert_array_equal(npk.exported("a"), np.concatenate([model, rows]))


def test_lines_of_text_are_appended_to_labels(npk):
    npk.write("labels.txt", "postgresql\nvim\n")
    npk("import", "labels.txt", "s.npk")
    npk.write("more.txt", "emacs\n")
    npk("append", "s.npk", "labels", "more.txt")
    npk("replace", "s.npk", "labels", "more.txt", "--rows", "0")
    npk("export", "s.npk", "labels", "out.txt")
    assert (npk.folder / "out.txt").read_text() == "emacs\nvim\nemacs\n"
    npk.write("long.txt", "a-name-that-is-too-long\n")
    error = npk.refused("append", "s.npk", "labels", "long.txt", says="at most 10")
    assert (error["code"], error["path"]) == ("InvalidArgument", "long.txt")


@pytest.mark.parametrize("rows, says", [
    (np.zeros((2, 4), "f4"), "(2, 4)"), (np.zeros((2, 3), "f8"), "float64"),
    (np.zeros(3, "f4"), "(3,)"), (np.zeros((), "f4"), "()"),
    (np.zeros((2, 3, 1), "f4"), "(2, 3, 1)")])
def test_rows_of_another_type_or_shape_are_refused(npk, rows, says):
    npk.imported("a", np.zeros((5, 3), "f4"))
    npk.save("bad.npy", rows)
    for arguments in (["append", "s.npk", "a", "bad.npy"],
                      ["replace", "s.npk", "a", "bad.npy", "--rows", ":2"]):
        error = npk.refused(*arguments, says=says)
        assert error["code"] == "InvalidArgument" and "float32" in error["message"]
    assert npk.json("info", "s.npk", "a")["array"]["shape"] == [5, 3]


@pytest.mark.parametrize("rows", ["0", "0:3", "0,1,2"])
def test_a_replace_needs_a_row_for_each(npk, rows):
    npk.imported("a", np.zeros((5, 3), "f4"))
    npk.save("two.npy", np.ones((2, 3), "f4"))
    npk.refused("replace", "s.npk", "a", "two.npy", "--rows", rows, says="rows given: 2")
    assert not npk.exported("a").any()


def test_several_arrays_lose_rows_in_one_commit_or_not_at_all(npk):
    npk.imported("a", np.arange(5))
    npk.imported("b", np.arange(10, 15))
    answer = npk.json("delete", "s.npk", "a,b", "--rows", "0,-1")
    assert [entry["array"] for entry in answer["arrays"]] == ["a", "b"]
    np.testing.assert_array_equal(npk.exported("a"), [1, 2, 3])
    np.testing.assert_array_equal(npk.exported("b"), [11, 12, 13])
    npk.imported("short", np.arange(2))
    assert npk.refused("delete", "s.npk", "a,short", "--rows", "2")["code"] == "OutOfRange"
    assert npk.exported("a").size == 3
    npk.refused("delete", "s.npk", "a,,b", "--rows", "0", code=USAGE, says="empty name")


def test_slices_count_from_the_end_of_each_array(npk):
    npk.imported("a", np.arange(5))
    npk.imported("b", np.arange(10))
    npk("delete", "s.npk", "a,b", "--rows", "-2:,0")
    np.testing.assert_array_equal(npk.exported("a"), [1, 2])
    np.testing.assert_array_equal(npk.exported("b"), np.arange(1, 8))


def test_an_array_whose_name_has_a_comma_is_meant_first(npk):
    npk.save("x.npy", np.arange(3))
    for name in ("a", "b", "a,b"):
        npk("import", "x.npy", "s.npk", "--name", name)
    npk("delete", "s.npk", "a,b", "--rows", "0")
    npk("drop", "s.npk", "a,b")
    assert [a["shape"] for a in npk.json("ls", "s.npk")["arrays"]] == [[3], [3]]


def test_arrays_are_dropped_all_or_none(npk):
    for name in "abcd":
        npk.imported(name, np.arange(3))
    npk.refused("drop", "s.npk", "a", "none", says="'none'")
    assert npk.json("drop", "s.npk", "a", "b")["dropped"] == ["a", "b"]
    npk("drop", "s.npk", "c,d")
    assert npk.json("ls", "s.npk")["arrays"] == []


def test_a_clone_is_an_array_of_its_own(npk):
    npk.imported("a", np.arange(5))
    npk("attrs", "s.npk", "a", "--set", '{"x": 1}')
    npk("delete", "s.npk", "a", "--rows", "0")
    answer = npk.json("clone", "s.npk", "a", "b")
    assert (answer["source"], answer["array"], answer["shape"]) == ("a", "b", [4])
    npk("delete", "s.npk", "a", "--rows", "0")
    np.testing.assert_array_equal(npk.exported("b"), [1, 2, 3, 4])
    assert npk.json("attrs", "s.npk", "b")["attributes"] == {"x": 1}
    assert npk.refused("clone", "s.npk", "a", "b")["code"] == "AlreadyExists"


def test_compaction_gives_bytes_back_and_changes_no_row(npk):
    npk.imported("a", np.arange(1000))
    npk.imported("b", np.arange(1000))
    npk("delete", "s.npk", "a,b", "--rows", "::2")
    answer = npk.json("compact", "s.npk", "a")
    assert answer["arrays"] == [{"array": "a", "size_bytes_before": 8000, "size_bytes_after": 4000}]
    np.testing.assert_array_equal(npk.exported("a"), np.arange(1, 1000, 2))
    answer = npk.json("compact", "s.npk")
    assert [entry["size_bytes_after"] for entry in answer["arrays"]] == [4000, 4000]


def test_nothing_selected_changes_nothing(npk):
    npk.imported("a", np.arange(3))
    npk.save("none.npy", np.arange(0))
    npk("append", "s.npk", "a", "none.npy")
    npk("replace", "s.npk", "a", "none.npy", "--rows", "1:1")
    assert npk.json("delete", "s.npk", "a", "--rows", "5:9")["arrays"][0]["deleted_rows"] == 0
    np.testing.assert_array_equal(npk.exported("a"), np.arange(3))


def test_values_without_rows_cannot_be_changed_by_row(npk):
    npk.imported("a", np.array(2.5))
    npk.save("rows.npy", np.array([1.0]))
    for arguments in (["append", "s.npk", "a", "rows.npy"],
                      ["replace", "s.npk", "a", "rows.npy", "--rows", "0"],
                      ["delete", "s.npk", "a", "--rows", "0"]):
        assert npk.refused(*arguments)["code"] in ("InvalidArgument", "FailedPrecondition")
    assert npk.exported("a") == 2.5


WRITERS = [["import", "b.npy", "s.npk"], ["append", "s.npk", "a", "b.npy"],
           ["replace", "s.npk", "a", "b.npy", "--rows", "0"],
           ["delete", "s.npk", "a", "--rows", "0"],
           ["drop", "s.npk", "a"], ["clone", "s.npk", "a", "c"], ["compact", "s.npk"],
           ["attrs", "s.npk", "a", "--set", "{}"]]


@pytest.mark.parametrize("arguments", WRITERS, ids=lambda arguments: arguments[0])
def test_a_store_that_another_process_writes_is_busy(npk, locked, arguments):
    npk.imported("a", np.arange(5))
    npk("delete", "s.npk", "a", "--rows", "4")
    npk.save("b.npy", np.array([7]))
    with locked("s.npk"):
        error = npk.refused(*arguments, "--lock-timeout-ms", "50", code=BUSY)
        assert error["code"] == "Busy"
        np.testing.assert_array_equal(npk.json("rows", "s.npk", "a", ":")["values"], range(4))
    npk(*arguments)


def test_a_store_that_may_not_be_written_is_read(npk, stranger):
    npk.imported("a", np.arange(5))
    npk.save("b.npy", np.array([7]))
    reader = stranger()
    assert reader.json("rows", "s.npk", "a", "-1")["values"] == [4]
    assert reader.json("search", "s.npk", "a", "--row", "0", code=FAILURE)["error"]["code"] == (
        "InvalidArgument")  # 1-d: no vectors
    assert reader.json("verify", "s.npk")["clean"]
    error = reader.refused("append", "s.npk", "a", "b.npy", code=FAILURE)
    assert "s.npk" in error["path"]
    assert npk.exported("a").size == 5
