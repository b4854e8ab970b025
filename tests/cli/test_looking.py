"""ls, info, head, rows, attrs: what is shown, as text and as JSON."""

import json

import numpy as np
import pytest
from conftest import FAILURE, USAGE

METADATA = {"name", "dtype", "shape", "row_bytes", "physical_rows", "deleted_rows", "generation",
            "size_bytes", "checksums", "rows_file", "created_us", "modified_us", "attributes"}


def test_ls_lists_the_arrays_by_name(npk):
    npk.imported("b", np.zeros((3, 4), "f4"))
    npk.imported("a", np.arange(2, dtype="u1"))
    lines = npk("ls", "s.npk").out.splitlines()
    assert lines[0].split() == ["name", "dtype", "shape", "size", "deleted", "modified"]
    assert lines[1].split()[:3] == ["a", "uint8", "(2,)"]
    assert lines[2].split()[:6] == ["b", "float32", "(3,", "4)", "48", "B"]
    arrays = npk.json("ls", "s.npk")["arrays"]
    assert [a["name"] for a in arrays] == ["a", "b"]
    assert all(set(a) == METADATA for a in arrays)


def test_ls_of_an_empty_store_has_no_arrays(npk):
    npk.imported("a", np.arange(2))
    npk("drop", "s.npk", "a")
    assert npk.json("ls", "s.npk")["arrays"] == []
    assert len(npk("ls", "s.npk").out.splitlines()) == 1


def test_info_of_a_store_counts_bytes(npk):
    npk.imported("a", np.zeros((10, 4), "f4"))
    npk("delete", "s.npk", "a", "--rows", "0:3")
    answer = npk.json("info", "s.npk")
    assert set(answer) == {"schema_version", "command", "store", "size_bytes", "reclaimable_bytes",
                           "arrays"}
    assert (answer["size_bytes"], answer["reclaimable_bytes"]) == (160, 48)
    assert "48 bytes" in npk("info", "s.npk").out


def test_info_of_an_array_tells_all(npk):
    npk.imported("a", np.zeros((10, 4), "f4"))
    npk("attrs", "s.npk", "a", "--set", '{"model": "x"}')
    array = npk.json("info", "s.npk", "a")["array"]
    assert set(array) == METADATA
    assert (array["dtype"], array["shape"], array["row_bytes"]) == ("float32", [10, 4], 16)
    assert array["attributes"] == {"model": "x"}
    assert (npk.folder / "s.npk" / array["rows_file"]).stat().st_size >= 160
    assert "float32" in npk("info", "s.npk", "a").out


def test_head_prints_the_first_rows(npk):
    npk.imported("a", np.arange(40).reshape(20, 2))
    assert len(npk("head", "s.npk", "a").out.splitlines()) == 11
    two = npk("head", "s.npk", "a", "-n", "2").out
    assert two == "row  [0]  [1]\n  0    0    1\n  1    2    3\n"
    assert npk.json("head", "s.npk", "a", "-n", "99")["shape"] == [20, 2]
    assert npk.json("head", "s.npk", "a", "-n", "0")["values"] == []


@pytest.mark.parametrize("rows, expected", [
    ("0", [0]), ("0,5,-1", [0, 5, 19]), ("-1", [19]), ("-1,0", [19, 0]), ("10:13", [10, 11, 12]),
    (":2", [0, 1]), ("18:", [18, 19]), ("-2:", [18, 19]), ("::7", [0, 7, 14]),
    ("3:0:-1", [3, 2, 1]), ("::-9", [19, 10, 1]), ("5:5", []), ("15:99", [15, 16, 17, 18, 19]),
    ("1,1,1", [1, 1, 1]), ("0,2:4,-1,::10", [0, 2, 3, 19, 0, 10]),
])
def test_rows_takes_numbers_and_slices_as_python_does(npk, rows, expected):
    array = npk.imported("a", np.arange(40.0).reshape(20, 2))
    answer = npk.json("rows", "s.npk", "a", rows)
    assert answer["rows"] == expected
    np.testing.assert_array_equal(np.reshape(answer["values"], (-1, 2)), array[expected])
    table = npk("rows", "s.npk", "a", rows).out.splitlines()[1:]
    assert [int(line.split()[0]) for line in table] == expected


@pytest.mark.parametrize("rows, says", [
    ("", "'' in '' is empty"), ("1,,2", "'' in '1,,2' is empty"), ("x", "'x' is no integer"),
    ("1,2x,3", "'2x' in '1,2x,3'"), ("1:2:3:4", "more than two ':'"), ("::0", "a step of 0"),
    ("1.5", "'1.5' is no integer"), ("1:b", "'b' is no integer"), (" 1", "' 1' is no integer"),
    ("99999999999999999999", "beyond 64 bits"), ("1,", "'' in '1,' is empty"), ("+1", "no integer"),
])
def test_rows_names_the_part_that_is_wrong(npk, rows, says):
    npk.imported("a", np.arange(3))
    npk.refused("rows", "s.npk", "a", rows, code=USAGE, says=says)
    npk.refused("delete", "s.npk", "a", "--rows", rows, code=USAGE, says=says)


@pytest.mark.parametrize("rows", ["3", "-4", "0,3", "1:2,9", "9223372036854775807"])
def test_rows_that_are_not_there_are_out_of_range(npk, rows):
    npk.imported("a", np.arange(3))
    for arguments in (["rows", "s.npk", "a", rows], ["delete", "s.npk", "a", "--rows", rows]):
        assert npk.refused(*arguments, says="3 rows")["code"] == "OutOfRange"
    assert npk.json("info", "s.npk", "a")["array"]["shape"] == [3]


@pytest.mark.parametrize("verb", [["head"], ["rows"]])
def test_wide_rows_are_shortened_in_tables_only(npk, verb):
    npk.imported("a", np.arange(200).reshape(2, 100))
    arguments = verb + ["s.npk", "a"] + (["0"] if verb == ["rows"] else [])
    heading = npk(*arguments).out.splitlines()[0].split()
    assert heading == ["row", "[0]", "[1]", "[2]", "[3]", "…", "[96]", "[97]", "[98]", "[99]"]
    assert len(npk(*arguments, "--columns", "0").out.splitlines()[0].split()) == 101
    narrow = npk(*arguments, "--columns", "3").out.splitlines()
    assert narrow[1].split() == ["0", "0", "1", "…", "99"]
    assert len(npk.json(*arguments)["values"][0]) == 100


def test_text_is_shown_as_text_and_cannot_steer_the_terminal(npk):
    npk.write("l.txt", "vim\tan editor\n\x1b[31mred\x07\n")
    npk("import", "l.txt", "s.npk")
    out = npk("head", "s.npk", "l", "--text").out
    assert "vim\\x09an editor" in out and "\\x1b[31mred\\x07" in out and "\x1b" not in out
    assert npk.json("rows", "s.npk", "l", "0", "--text")["text"] == ["vim\tan editor"]
    npk.imported("f", np.zeros((2, 2)))
    npk.refused("head", "s.npk", "f", "--text", says="only uint8 arrays")


# ---- Values. ----

SPECIAL = [0.1, -0.0, 0.0, 1.0, 3e38, 1e-45, np.nan, np.inf, -np.inf, 1 / 3]


def back(value):
    """What the JSON of this command means in Python."""
    if isinstance(value, list):
        return complex(back(value[0]), back(value[1]))
    return float(value)  # "NaN", "Infinity" and "-Infinity" too


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_floats_come_back_bit_for_bit(npk, rng, dtype):
    noise = rng.integers(0, 256, 4000, dtype="u1").tobytes()
    array = np.concatenate([np.array(SPECIAL, dtype), np.frombuffer(noise, dtype)])
    npk.imported("a", array)
    from_json = np.array([back(v) for v in npk.json("rows", "s.npk", "a", ":")["values"]], dtype)
    lines = npk("rows", "s.npk", "a", ":").out.splitlines()[1:]
    from_text = np.array([float(line.split()[1]) for line in lines], dtype)
    for result in (from_json, from_text):
        np.testing.assert_array_equal(result, array)
        finite = ~np.isnan(array)
        assert np.signbit(result[finite]).tolist() == np.signbit(array[finite]).tolist()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_come_back(npk, dtype):
    array = npk.imported("a", np.array([1 + 2j, -0.5 - 1e-8j, complex(0, -0.0), 0.1 + 0.1j], dtype))
    values = npk.json("head", "s.npk", "a")["values"]
    assert [back(v) for v in values] == [complex(str(v)) for v in array] and values[0] == [1.0, 2.0]
    lines = npk("head", "s.npk", "a").out.splitlines()[1:]
    assert [dtype_of(complex(line.split()[1]), dtype) for line in lines] == array.tolist()


def dtype_of(value, dtype):
    return np.array(value, dtype).item()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64",
                                   "int64"])
def test_integers_are_exact(npk, dtype):
    info = np.iinfo(dtype)
    npk.imported("a", np.array([info.min, 0, 7, info.max], dtype))
    assert npk.json("head", "s.npk", "a")["values"] == [info.min, 0, 7, info.max]
    assert npk("head", "s.npk", "a").out.split()[-1] == str(info.max)


def test_booleans_are_true_and_false(npk):
    npk.imported("a", np.array([True, False]))
    assert npk.json("head", "s.npk", "a")["values"] == [True, False]
    assert npk("head", "s.npk", "a").out == "row  value\n  0   true\n  1  false\n"


def test_arrays_of_no_dimension_are_one_value(npk):
    npk.imported("a", np.array(2.5))
    assert npk("head", "s.npk", "a").out == "2.5\n"
    answer = npk.json("head", "s.npk", "a")
    assert (answer["values"], answer["shape"], answer["rows"]) == (2.5, [], [])
    npk.refused("rows", "s.npk", "a", "0", says="0-d")


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 3, 0), (2, 2, 3)])
def test_empty_and_deep_arrays_keep_their_shape_in_json(npk, shape):
    array = npk.imported("a", np.arange(np.prod(shape)).reshape(shape))
    answer = npk.json("head", "s.npk", "a")
    assert answer["shape"] == list(shape) and answer["values"] == array.tolist()
    assert len(npk("head", "s.npk", "a").out.splitlines()) == 1 + shape[0]


# ---- Attributes. ----


def test_attributes_are_set_and_printed(npk):
    npk.imported("a", np.arange(3))
    assert npk.json("attrs", "s.npk", "a")["attributes"] == {}
    assert npk("attrs", "s.npk", "a", "--set", '{"model": "é", "n": [1, 2.5, null]}').out == ""
    expected = {"model": "é", "n": [1, 2.5, None]}
    assert json.loads(npk("attrs", "s.npk", "a").out) == expected
    assert npk.json("attrs", "s.npk", "a", "--set", "{}")["attributes"] == {}


@pytest.mark.parametrize("text", ["[1]", "{", "", "3", '{"a": nan}'])
def test_attributes_that_are_no_object_are_refused(npk, text):
    npk.imported("a", np.arange(3))
    npk("attrs", "s.npk", "a", "--set", '{"kept": 1}')
    assert npk.refused("attrs", "s.npk", "a", "--set", text)["code"] == "InvalidArgument"
    assert npk.json("attrs", "s.npk", "a")["attributes"] == {"kept": 1}


# ---- What is not there. ----


@pytest.mark.parametrize("arguments", [
    ["ls"], ["info"], ["head", "a"], ["rows", "a", "0"], ["attrs", "a"], ["export", "a", "b.npy"],
    ["append", "a", "a.npy"], ["replace", "a", "a.npy", "--rows", "0"],
    ["delete", "a", "--rows", "0"], ["drop", "a"], ["clone", "a", "b"], ["compact"],
    ["search", "a", "--row", "0"], ["attrs", "a", "--set", "{}"], ["verify"]])
def test_no_verb_but_import_makes_a_store(npk, arguments):
    npk.save("a.npy", np.arange(3))
    verb, *rest = arguments
    error = npk.refused(verb, "none.npk", *rest, says="there is no store here")
    assert (error["code"], error["path"]) == ("NotFound", "none.npk")
    if verb != "verify":
        assert "npk import FILE STORE" in error["message"]
    assert npk.files() == {"a.npy"}


@pytest.mark.parametrize("arguments", [
    ["info", "b"], ["head", "b"], ["rows", "b", "0"], ["attrs", "b"], ["append", "b", "a.npy"],
    ["replace", "b", "a.npy", "--rows", "0"], ["delete", "b", "--rows", "0"], ["drop", "b"],
    ["delete", "a,b", "--rows", "0"], ["drop", "a", "b"], ["drop", "a,b"], ["clone", "b", "c"],
    ["compact", "b"], ["search", "b", "--row", "0"]])
def test_an_unknown_array_is_not_found_and_nothing_changes(npk, arguments):
    npk.imported("a", np.arange(3))
    verb, *rest = arguments
    assert npk.refused(verb, "s.npk", *rest, code=FAILURE, says="'b'")["code"] == "NotFound"
    assert npk.json("info", "s.npk", "a")["array"]["shape"] == [3]


def test_a_file_is_no_store(npk):
    npk.write("file.npk", "not a store")
    for verb in (["ls"], ["info"], ["verify"]):
        assert npk.refused(verb[0], "file.npk")["code"] == "FailedPrecondition"


def test_a_foreign_folder_is_no_store_and_stays_as_it_is(npk):
    npk.save("a.npy", np.arange(3))
    (npk.folder / "folder").mkdir()
    (npk.folder / "folder" / "mine.txt").write_text("mine")
    npk.refused("ls", "folder")
    npk.refused("import", "a.npy", "folder")
    assert [p.name for p in (npk.folder / "folder").iterdir()] == ["mine.txt"]


def test_changes_tells_what_happened_since_a_commit(npk):
    npk.imported("a", np.zeros((10, 4), "f4"))
    start = npk.json("changes", "s.npk", "a")
    assert start["everything"] and start["changed"] == [[0, 10]]
    number = str(start["commit_number"])
    npk.save("one.npy", np.ones((2, 4), "f4"))
    npk("append", "s.npk", "a", "one.npy")
    npk("replace", "s.npk", "a", "one.npy", "--rows", "3,7")
    npk("delete", "s.npk", "a", "--rows", "0:2")
    changes = npk.json("changes", "s.npk", "a", "--since", number)
    assert set(changes) == {"schema_version", "command", "store", "name", "since", "commit_number",
                            "rows", "everything", "changed", "deleted"}
    assert not changes["everything"] and changes["rows"] == 10
    assert changes["changed"] == [[1, 2], [5, 6], [8, 10]] and changes["deleted"] == [[0, 2]]
    text = npk("changes", "s.npk", "a", "--since", number).out
    assert "1, 5, 8:10" in text and "0:2" in text
    again = npk.json("changes", "s.npk", "a", "--since", str(changes["commit_number"]))
    assert again["changed"] == [] and again["deleted"] == []
    assert npk("changes", "s.npk", "b", code=FAILURE).err
