"""import and export: npy byte for byte as NumPy writes it, text, and what is refused."""

import io
import os
import resource
import signal
import struct
import subprocess

import numpy as np
import pytest
from conftest import FAILURE, INTEGRITY, USAGE

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "complex64", "complex128"]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (0, 4), (4, 0), (2, 3, 5), (1,) * 32]


def values(rng, dtype, shape):
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("complex"):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_export_gives_the_bytes_of_np_save(npk, rng, dtype):
    for shape in SHAPES:
        array = np.asarray(values(rng, dtype, shape)).reshape(shape)
        npk.imported("a", array)
        npk("export", "s.npk", "a", "out.npy", "--overwrite")
        assert (npk.folder / "out.npy").read_bytes() == (npk.folder / "a.npy").read_bytes(), shape


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_order_byte_order_and_version_is_imported(npk, rng, dtype):
    for shape in [(5,), (3, 4), (2, 3, 5)]:
        plain = values(rng, dtype, shape)
        for order in "CF":
            for byte_order in "<>":
                array = np.array(plain, dtype=np.dtype(dtype).newbyteorder(byte_order), order=order)
                for version in [(1, 0), (2, 0), (3, 0)]:
                    with open(npk.folder / "a.npy", "wb") as file:
                        np.lib.format.write_array(file, array, version=version)
                    npk("import", "a.npy", "s.npk", "--overwrite")
                    exported = npk.exported("a")
                    assert exported.dtype == np.dtype(dtype) and exported.flags.c_contiguous
                    np.testing.assert_array_equal(exported, plain)


@pytest.mark.parametrize("order, byte_order", [("C", "<"), ("F", "<"), ("C", ">"), ("F", ">")])
def test_files_of_many_blocks_are_imported_whole(npk, rng, order, byte_order):
    plain = rng.integers(0, 1 << 32, (70_001, 37), dtype="u4")  # 10 MB
    npk.imported("a", np.array(plain, dtype=byte_order + "u4", order=order))
    np.testing.assert_array_equal(npk.exported("a"), plain)


def test_the_name_is_the_files_unless_given(npk):
    npk.imported("vectors", np.arange(3))
    npk("import", "vectors.npy", "s.npk", "--name", "numbers")
    assert [a["name"] for a in npk.json("ls", "s.npk")["arrays"]] == ["numbers", "vectors"]


def test_import_says_what_it_made(npk):
    npk.save("a.npy", np.zeros((3, 4), "f4"))
    answer = npk.json("import", "a.npy", "s.npk")
    assert answer == {"schema_version": 1, "command": "import", "store": "s.npk", "array": "a",
                      "file": "a.npy", "dtype": "float32", "shape": [3, 4]}
    outcome = npk("import", "a.npy", "s.npk", "--overwrite")
    assert outcome.out == "" and "float32 (3, 4)" in outcome.err


def test_an_array_is_replaced_only_if_asked(npk):
    npk.imported("a", np.arange(3))
    npk.save("a.npy", np.arange(5.0))
    assert npk.refused("import", "a.npy", "s.npk")["code"] == "AlreadyExists"
    assert npk.exported("a").dtype == np.int64
    npk("import", "a.npy", "s.npk", "--overwrite")
    np.testing.assert_array_equal(npk.exported("a"), np.arange(5.0))


def test_a_file_is_replaced_only_if_asked(npk):
    npk.imported("a", np.arange(3))
    npk.write("out.npy", "precious")
    error = npk.refused("export", "s.npk", "a", "out.npy")
    assert (error["code"], error["path"]) == ("AlreadyExists", "out.npy")
    assert (npk.folder / "out.npy").read_bytes() == b"precious"
    npk("export", "s.npk", "a", "out.npy", "--overwrite")
    np.testing.assert_array_equal(np.load(npk.folder / "out.npy"), np.arange(3))


def test_export_leaves_deleted_rows_out(npk):
    npk.imported("a", np.arange(10))
    npk("delete", "s.npk", "a", "--rows", "0,3:6")
    np.testing.assert_array_equal(npk.exported("a"), [1, 2, 6, 7, 8, 9])


@pytest.mark.parametrize("descr", ["<f4", ">f4"])
def test_big_files_pass_through_little_memory(npk, descr):
    npk.sparse("big.npy", descr, (50_000, 1_000))  # 200 MB
    limit = 64 << 20

    def limit_memory():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    for arguments in (["import", "big.npy", "s.npk"], ["export", "s.npk", "big", "out.npy"]):
        subprocess.run([npk.command, *arguments], cwd=npk.folder, preexec_fn=limit_memory,
                       check=True, timeout=120)
    assert (npk.folder / "out.npy").stat().st_size == 200_000_128


# ---- Text. ----


def test_text_is_imported_as_rows_and_exported_as_it_was(npk):
    text = "vim\tVi IMproved\n\nétude\nlast\n"
    npk.write("labels.txt", text)
    npk("import", "labels.txt", "s.npk")
    assert npk.json("info", "s.npk", "labels")["array"]["shape"] == [4, 15]
    npk("export", "s.npk", "labels", "out.txt")
    assert (npk.folder / "out.txt").read_text() == text


def test_only_text_is_exported_as_text(npk):
    npk.imported("a", np.zeros((2, 3), "f4"))
    npk.refused("export", "s.npk", "a", "a.txt", says="only uint8 arrays of 2 dimensions")
    npk.imported("b", np.array([[65, 10, 66]], "u1"))
    npk.refused("export", "s.npk", "b", "b.txt", says="row 0 is no line of text: it has a line end")
    npk.imported("c", np.array([[65, 0, 66]], "u1"))
    npk.refused("export", "s.npk", "c", "c.txt", says="a zero byte inside")
    assert not {"a.txt", "b.txt", "c.txt"} & npk.files()
    assert not [name for name in npk.files() if name.endswith(".tmp")]


# ---- What is refused. ----


def npy(dictionary: str, data: bytes = b"", version: int = 1) -> bytes:
    text = (dictionary + "\n").encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I",
                                                           len(text)) + text + data


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
BAD_FILES = {
    "empty": (b"", "Corruption", 0, "is empty"),
    "no npy": (b"hello world, this is no array", "Corruption", 0, "\\x93NUMPY"),
    "zip": (b"PK\x03\x04" + bytes(40), "Corruption", 0, "npz"),
    "version": (b"\x93NUMPY\x09\x00" + bytes(40), "Unsupported", 6, "version 9.0"),
    "cut off": (npy(GOOD, b"1234567"), "Corruption", 75,
                "12 bytes from byte 68 on, but there are 7"),
    "too long": (npy(GOOD, bytes(13)), "Corruption", 80, "there are 13"),
    "objects": (npy(GOOD.replace("<f4", "|O"), bytes(24)), "Unsupported", 20, "Python objects"),
    "structured": (npy(GOOD.replace("'<f4'", "[('x', '<f4')]"), bytes(12)), "Unsupported", 20,
                   "structured"),
    "text type": (npy(GOOD.replace("<f4", "<U3"), bytes(36)), "Unsupported", 20, ".txt"),
    "dates": (npy(GOOD.replace("<f4", "<M8[s]"), bytes(24)), "Unsupported", 20, "view('int64')"),
    "negative": (npy(GOOD.replace("3,", "-3,"), bytes(12)), "Corruption", 61, "negative"),
    "overflow": (npy(GOOD.replace("3,", "4611686018427387904, 4"), bytes(12)), "Corruption", 60,
                 "more elements"),
    "extra key": (npy(GOOD[:-1] + "'x': 1}", bytes(12)), "Corruption", 66, "unknown key 'x'"),
    "code": (npy("__import__('os').system('true')", bytes(12)), "Corruption", 10, "'{'"),
    "long header": (npy(GOOD + " " * 70_000, bytes(12), version=2), "Unsupported", 8, "at most"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_refused_with_its_place_and_nothing_changes(npk, kind):
    content, code, offset, says = BAD_FILES[kind]
    npk.write("bad.npy", content)
    exit_code = INTEGRITY if code == "Corruption" else FAILURE
    error = npk.refused("import", "bad.npy", "new.npk", code=exit_code, says=says)
    assert (error["code"], error["path"], error["offset_bytes"]) == (code, "bad.npy", offset)
    assert "new.npk" not in npk.files()
    npk.imported("a", np.zeros(3, "f4"))
    npk.refused("append", "s.npk", "a", "bad.npy", code=exit_code, says=says)
    npk.refused("replace", "s.npk", "a", "bad.npy", "--rows", "0", code=exit_code, says=says)
    assert npk.json("info", "s.npk", "a")["array"]["shape"] == [3]


def test_object_arrays_of_numpy_are_refused(npk):
    npk.write("o.npy", b"")
    np.save(npk.folder / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert npk.refused("import", "o.npy", "s.npk", says="run code")["code"] == "Unsupported"


@pytest.mark.parametrize("arguments, code, says", [
    (["import", "none.npy", "s.npk"], "NotFound", "none.npy"),
    (["import", "a.csv", "s.npk"], "InvalidArgument", ".npy, .txt"),
    (["export", "s.npk", "a", "a.csv"], "InvalidArgument", ".npy, .txt"),
    (["export", "s.npk", "none", "none.npy"], "NotFound",
     "there is no array 'none' in the store; there are 'a'"),
    (["export", "s.npk", "a", "no/such/folder.npy"], "NotFound", "cannot write next to"),
    (["export", "s.npk", "a", "folder.npy", "--overwrite"], "FailedPrecondition", "a directory"),
    (["export", "none.npk", "a", "b.npy"], "NotFound", "there is no store here"),
    (["import", "a.npy", "no/such/s.npk"], "NotFound", "make it first"),
    (["import", "a.npy", "a.npy"], "FailedPrecondition", "a.npy"),
])
def test_wrong_names_are_refused(npk, arguments, code, says):
    npk.imported("a", np.arange(3))
    npk.write("a.csv", "1,2\n")
    (npk.folder / "folder.npy").mkdir()
    before = npk.files()
    assert npk.refused(*arguments, says=says)["code"] == code
    assert npk.files() == before


@pytest.mark.parametrize("name", ["x" * 1025, "", b"\xff"])
def test_a_name_that_no_array_can_have_makes_no_store(npk, name):
    npk.save("a.npy", np.arange(3))
    (npk.folder / ".npy").write_bytes((npk.folder / "a.npy").read_bytes())
    arguments = [".npy", "s.npk"] if name == "" else ["a.npy", "s.npk", "--name", name]
    done = subprocess.run([npk.command, "import", *arguments], cwd=npk.folder, capture_output=True,
                          timeout=60)
    assert done.returncode == FAILURE and done.stderr.startswith(b"npk: InvalidArgument: "), done
    assert npk.files() == {"a.npy", ".npy"}


def limit_file_size(size_bytes=10_000_000):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


@pytest.mark.parametrize("arguments", [["export", "s.npk", "a", "out.npy"],
                                       ["import", "a.npy", "new.npk"],
                                       ["import", "a.npy", "s.npk", "--name", "b"]])
def test_what_fails_in_the_middle_leaves_nothing(npk, arguments):
    npk.imported("a", np.zeros(3_000_000))
    before = npk.files() | {path.name for path in (npk.folder / "s.npk").iterdir()}
    done = subprocess.run([npk.command, *arguments], cwd=npk.folder, preexec_fn=limit_file_size,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == FAILURE and "File too large" in done.stderr
    assert ".npk-" not in done.stderr, "names a temporary file that is gone"
    assert npk.files() | {path.name for path in (npk.folder / "s.npk").iterdir()} == before


@pytest.mark.parametrize("durability", ["process", "power"])
def test_little_space_is_enough_for_little_changes(npk, durability):
    npk.imported("a", np.arange(1000.0))
    npk.imported("b", np.arange(3))
    npk.save("rows.npy", np.arange(2.0))
    for arguments in (["append", "s.npk", "a", "rows.npy"], ["drop", "s.npk", "b"],
                      ["replace", "s.npk", "a", "rows.npy", "--rows", "3,5"],
                      ["delete", "s.npk", "a", "--rows", "0"]):
        subprocess.run([npk.command, *arguments, "--durability", durability], cwd=npk.folder,
                       preexec_fn=lambda: limit_file_size(300_000), check=True, timeout=60)
    assert npk.json("info", "s.npk", "a")["array"]["shape"] == [1001]
    assert npk.json("verify", "s.npk")["clean"]


def test_an_array_that_cannot_be_made_makes_no_store(npk):
    npk.save("a.npy", np.arange(3))
    (npk.folder / "closed").mkdir(0o555)
    if os.getuid() != 0:
        npk.refused("import", "a.npy", "closed/new.npk", says="no permission")
    (npk.folder / "file").write_text("")
    npk.refused("import", "a.npy", "file/new.npk", says="not a directory")
    assert npk.files() == {"a.npy", "closed", "file"}


def test_twenty_small_arrays_share_a_store(npk):
    buffer = io.BytesIO()
    np.save(buffer, np.arange(2))
    for i in range(20):
        npk.write(f"a{i:02}.npy", buffer.getvalue())
        npk("import", f"a{i:02}.npy", "s.npk", "--durability", ["none", "process", "power"][i % 3])
    assert len(npk.json("ls", "s.npk")["arrays"]) == 20
    assert os.path.isdir(npk.folder / "s.npk")
