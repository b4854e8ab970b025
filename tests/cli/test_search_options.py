"""search: many queries, where, thresholds, one object a query, stats; what makes no sense."""

import ctypes
import json
import signal
import struct
import subprocess
import time

import numpy as np
import pytest
from conftest import FAILURE, USAGE


@pytest.fixture
def vectors(npk, rng):
    return npk.imported("v", rng.standard_normal((300, 16)).astype("f4"))


@pytest.fixture
def queries(npk, rng):
    return npk.save("q.npy", rng.standard_normal((25, 16)).astype("f4"))


def l2(vectors, query):
    return np.sqrt(((vectors.astype("f8") - query.astype("f8")) ** 2).sum(axis=1))


def rows_of(hits):
    return [hit["row"] for hit in hits]


def lines_of(outcome):
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.mark.parametrize("batch", [[], ["--batch", "1"], ["--batch", "7"], ["--batch", "0"]])
def test_many_queries_are_answered_as_one_by_one(npk, vectors, queries, batch):
    answer = npk.json("search", "s.npk", "v", "--queries", "q.npy", "-k", "4", *batch)
    assert answer["query"] == {"file": "q.npy", "count": 25} and "hits" not in answer
    assert [each["query"] for each in answer["answers"]] == list(range(25))
    for query, each in zip(queries, answer["answers"], strict=True):
        npk.save("one.npy", query)
        alone = npk.json("search", "s.npk", "v", "--query", "one.npy", "-k", "4")
        assert each["hits"] == alone["hits"]


def test_no_queries_have_no_answers(npk, vectors):
    npk.save("q.npy", np.zeros((0, 16), "f4"))
    assert npk.json("search", "s.npk", "v", "--queries", "q.npy")["answers"] == []
    assert npk("search", "s.npk", "v", "--queries", "q.npy", "--jsonl").out == ""
    table = npk("search", "s.npk", "v", "--queries", "q.npy").out
    assert table.split() == ["query", "rank", "row", "score"]


def test_json_lines_are_an_object_a_query(npk, vectors, queries):
    whole = npk.json("search", "s.npk", "v", "--queries", "q.npy", "-k", "3")["answers"]
    outcome = npk("search", "s.npk", "v", "--queries", "q.npy", "-k", "3", "--jsonl",
                  "--batch", "4")
    assert outcome.err == ""
    lines = lines_of(outcome)
    assert {(line["schema_version"], line["command"]) for line in lines} == {(1, "search")}
    assert [{"query": line["query"], "hits": line["hits"]} for line in lines] == whole
    [line] = lines_of(npk("search", "s.npk", "v", "--row", "3", "-k", "1", "--jsonl"))
    assert line["query"] == 0 and rows_of(line["hits"]) == [3]


def test_a_table_of_many_queries_numbers_them(npk, vectors, queries):
    lines = npk("search", "s.npk", "v", "--queries", "q.npy", "-k", "2").out.splitlines()
    assert lines[0].split() == ["query", "rank", "row", "score"]
    assert [line.split()[:2] for line in lines[1:5]] == [["0", "1"], ["0", "2"], ["1", "1"],
                                                        ["1", "2"]]
    assert len(lines) == 51


def test_where_takes_rows_masks_and_numbers(npk, vectors):
    chosen = np.zeros(300, bool)
    chosen[[0, 5, 299, *range(10, 20)]] = True
    npk.save("mask.npy", chosen)
    for dtype in ("u1", "i2", "u4", "i8", "u8"):
        small = np.flatnonzero(chosen[:250]) if dtype == "u1" else np.flatnonzero(chosen)
        npk.save(f"{dtype}.npy", small.astype(dtype))
    npk.save("negative.npy", np.array([-1, -300, 5, *range(10, 20)]))
    nearest = np.argsort(l2(vectors, vectors[12]), kind="stable")
    expected = [row for row in nearest if chosen[row]]
    for where in ("0,5,10:20,-1", "mask.npy", "i2.npy", "u4.npy", "i8.npy", "u8.npy",
                  "negative.npy"):
        answer = npk.json("search", "s.npk", "v", "--row", "12", "--metric", "l2", "-k", "300",
                          "--where", where)
        assert rows_of(answer["hits"]) == expected, where
    answer = npk.json("search", "s.npk", "v", "--row", "12", "--metric", "l2", "-k", "300",
                      "--where", "u1.npy")
    assert rows_of(answer["hits"]) == [row for row in expected if row != 299]
    assert npk.json("search", "s.npk", "v", "--row", "1", "--where", "5:5")["hits"] == []


def test_where_counts_live_rows(npk, vectors):
    npk("delete", "s.npk", "v", "--rows", "0:10")
    hits = npk.json("search", "s.npk", "v", "--row", "0", "--where", "0:3")["hits"]
    assert sorted(rows_of(hits)) == [0, 1, 2]


@pytest.mark.parametrize("where, code, says", [
    ("300", "OutOfRange", "row 300"), ("-301", "OutOfRange", "row -301"),
    ("long.npy", "InvalidArgument", "a mask of 301 rows, the array has 300"),
    ("short.npy", "InvalidArgument", "a mask of 299 rows, the array has 300"),
    ("far.npy", "OutOfRange", "row 300"), ("huge.npy", "OutOfRange", "beyond 63 bits"),
    ("float.npy", "InvalidArgument", "the file holds float64"),
    ("square.npy", "InvalidArgument", "the file holds (2, 2)"),
    ("none.npy", "NotFound", "none.npy")])
def test_a_where_that_does_not_fit_is_refused(npk, vectors, where, code, says):
    npk.save("long.npy", np.ones(301, bool))
    npk.save("short.npy", np.ones(299, bool))
    npk.save("far.npy", np.array([3, 300]))
    npk.save("huge.npy", np.array([1 << 63], "u8"))
    npk.save("float.npy", np.ones(300))
    npk.save("square.npy", np.zeros((2, 2), int))
    error = npk.refused("search", "s.npk", "v", "--row", "0", "--where", where, says=says)
    assert error["code"] == code


def test_a_threshold_without_k_is_a_range_search(npk, vectors):
    distance = l2(vectors, vectors[7])
    limit = float(np.sort(distance)[120])
    near = [row for row in np.argsort(distance, kind="stable") if distance[row] <= limit]
    arguments = ["search", "s.npk", "v", "--row", "7", "--metric", "l2", "--max-distance",
                 repr(limit)]
    answer = npk.json(*arguments)
    assert answer["k"] is None and rows_of(answer["hits"]) == near and len(near) > 100
    answer = npk.json(*arguments, "-k", "5")
    assert answer["k"] == 5 and rows_of(answer["hits"]) == near[:5]
    arguments = ["search", "s.npk", "v", "--row", "7", "--min-score", "0.9999"]
    assert rows_of(npk.json(*arguments)["hits"]) == [7]
    assert rows_of(npk.json(*arguments, "-k", "5")["hits"]) == [7]
    many = npk.json("search", "s.npk", "v", "--queries", "v.npy", "--min-score", "0.9999")
    assert [rows_of(each["hits"]) for each in many["answers"]] == [[row] for row in range(300)]


@pytest.mark.parametrize("arguments, says", [
    (["--max-distance", "1"], "cosine is better when larger: give min_score"),
    (["--metric", "l2", "--min-score", "1"], "l2 is a distance: give max_distance"),
    (["--min-score", "nan"], "the threshold is NaN"),
    (["--metric", "jaccard"], "takes rows of uint8, not of float32; those can be searched with")])
def test_what_does_not_go_together_is_refused(npk, vectors, arguments, says):
    error = npk.refused("search", "s.npk", "v", "--row", "0", *arguments, says=says)
    assert error["code"] == "InvalidArgument"


@pytest.mark.parametrize("arguments, says", [
    (["--row", "0", "-k", "-1"], "'-1' is no integer of 0"),
    (["--row", "0", "-k", "18446744073709551616"], "is no integer of 0"),
    (["--row", "0", "--batch", "-1"], "'-1' is no integer of 0"),
    (["--row", "0", "--min-score", "much"], "--min-score: 'much' is no number"),
    (["--row", "0", "--max-distance", "1e"], "--max-distance: '1e' is no number"),
    (["--row", "0", "--where", "1,,2"], "a row is missing"),
    (["--row", "0", "--where", "mask.bin"], "is no row"),
    (["--row", "0", "--metric", "manhattan"], "known are cosine (cos, cosine_similarity), dot"),
    (["--row", "0", "--queries", "q.npy"], "one of --query FILE, --queries FILE")])
def test_arguments_that_make_no_sense_are_usage_errors(npk, vectors, arguments, says):
    assert npk.refused("search", "s.npk", "v", *arguments, code=USAGE, says=says)["code"] == "Usage"


def test_json_and_jsonl_exclude_each_other(npk, vectors):
    outcome = npk("search", "s.npk", "v", "--row", "0", "--json", "--jsonl", code=USAGE)
    assert json.loads(outcome.out)["error"]["code"] == "Usage"


def test_errors_are_objects_with_jsonl_too(npk, vectors):
    outcome = npk("search", "s.npk", "none", "--row", "0", "--jsonl", code=FAILURE)
    assert json.loads(outcome.out)["error"]["code"] == "NotFound"
    outcome = npk("search", "s.npk", "v", "--jsonl", code=USAGE)
    assert json.loads(outcome.out)["error"]["code"] == "Usage"


@pytest.mark.parametrize("queries, says", [
    (np.zeros((3, 15), "f4"), "query 0: the query has 15 dimensions, the rows have 16"),
    (np.zeros(16, "f4"), "queries have the shape (count, 16), not (16,)"),
    (np.zeros((2, 2, 16), "f4"), "queries have the shape (count, 16), not (2, 2, 16)"),
    (np.zeros((3, 16), "c8"), "complex64"),
    (np.array([[0] * 16, [np.nan] * 16], "f4"), "query 1: the query holds NaN at element 0"),
    (np.array([[0] * 16, [np.inf] * 16], "f4"), "query 1: the query holds infinity")])
def test_queries_that_do_not_fit_are_refused(npk, vectors, queries, says):
    npk.save("q.npy", queries)
    error = npk.refused("search", "s.npk", "v", "--queries", "q.npy", says=says)
    assert error["code"] == "InvalidArgument"


def test_a_later_batch_that_does_not_fit_is_named(npk, vectors):
    bad = np.zeros((5, 16), "f4")
    bad[3, 2] = np.nan
    npk.save("q.npy", bad)
    arguments = ["search", "s.npk", "v", "--queries", "q.npy", "--batch", "2"]
    error = npk.json(*arguments, code=FAILURE)["error"]
    says = "queries from 2 on: search of array 'v': query 1: the query holds NaN"
    assert error["message"].startswith(says)
    *answers, last = lines_of(npk(*arguments, "--jsonl", code=FAILURE))
    assert [line["query"] for line in answers] == [0, 1] and last["error"] == error


def test_stores_and_arrays_without_rows_are_answered(npk, vectors, queries):
    npk.imported("e", np.zeros((0, 16), "f4"))
    answers = npk.json("search", "s.npk", "e", "--queries", "q.npy", "--min-score", "0")["answers"]
    assert [each["hits"] for each in answers] == [[]] * 25
    npk("drop", "s.npk", "v", "e")
    assert npk.refused("search", "s.npk", "v", "--queries", "q.npy")["code"] == "NotFound"
    assert npk.refused("search", "none.npk", "v", "--queries", "q.npy")["code"] == "NotFound"


def test_a_huge_k_gives_every_row(npk, vectors):
    answer = npk.json("search", "s.npk", "v", "--row", "0", "-k", "18446744073709551615")
    assert sorted(rows_of(answer["hits"])) == list(range(300))


def test_stats_are_on_stderr_or_in_the_json(npk, vectors, queries):
    arguments = ["search", "s.npk", "v", "--queries", "q.npy", "--batch", "10", "--stats"]
    stats = npk.json(*arguments)["stats"]
    assert stats["queries"] == 25 and stats["scored_rows"] == 900
    assert stats["read_bytes"] == 3 * vectors.nbytes
    assert stats["elapsed_us"] >= 0 and stats["gigabytes_per_second"] > 0
    assert stats["simd_target"] == npk.json("show-config")["simd_target"]
    outcome = npk(*arguments)
    assert "25 queries, 900 rows scored, 56.2 KiB read in" in outcome.err
    assert stats["simd_target"] in outcome.err and "GB/s" in outcome.err
    *answers, last = lines_of(npk(*arguments, "--jsonl"))
    assert len(answers) == 25 and last["stats"]["scored_rows"] == 900 and "hits" not in last
    assert "1 query, 300 rows scored" in npk("search", "s.npk", "v", "--row", "0", "--stats").err
    assert "stats" not in npk.json("search", "s.npk", "v", "--row", "0")


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_do_not_change_the_answer(npk, vectors, queries, threads):
    arguments = ["search", "s.npk", "v", "--queries", "q.npy", "-k", "20"]
    assert (npk.json(*arguments, "--threads", threads)["answers"]
            == npk.json(*arguments, "--threads", "1")["answers"])


@pytest.mark.parametrize("form", [[], ["--json"], ["--jsonl"]], ids=["table", "json", "jsonl"])
def test_an_interrupted_search_ends_by_the_signal(npk, form):
    npk.sparse("big.npy", "<f4", (400_000, 100))
    npk("import", "big.npy", "s.npk")
    npk.sparse("q.npy", "<f4", (2_000, 100))
    process = subprocess.Popen(
        [npk.command, "search", "s.npk", "big", "--queries", "q.npy", "--metric", "l2",
         "--batch", "0", *form],
        cwd=npk.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=npk.environment())
    # Until the search catches the signal, which it does just before it begins.
    while process.poll() is None and not catches(process.pid, signal.SIGINT):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert b"the search was cancelled" in err
    if form:
        assert json.loads(out)["error"]["code"] == "FailedPrecondition"
    else:
        assert out == b""


WAYS = ["auto", "mmap", "uring", "pread"]


@pytest.mark.parametrize("way", WAYS)
def test_the_way_of_reading_does_not_change_the_answer(npk, vectors, queries, way):
    arguments = ["search", "s.npk", "v", "--queries", "q.npy", "--where", "5:250", "--stats"]
    usual = npk.json(*arguments)
    forced = json.loads(npk(*arguments, "--json", env={"NPK_IO": way}).out)
    assert forced["answers"] == usual["answers"]
    read_from_file = forced["stats"]["direct_bytes"] + forced["stats"]["copied_bytes"]
    assert read_from_file == (vectors.nbytes if way in ("uring", "pread") else 0)
    outcome = npk(*arguments, env={"NPK_IO": way})
    assert ("by " in outcome.err) == (way in ("uring", "pread"))


def test_an_unknown_way_of_reading_is_refused(npk, vectors):
    outcome = npk("search", "s.npk", "v", "--row", "0", code=FAILURE, env={"NPK_IO": "tape"})
    assert "NPK_IO is 'tape'; it may be auto, mmap, uring or pread" in outcome.err


def test_without_io_uring_rows_are_read_all_the_same(npk, vectors):
    """As in most containers: the system call that makes a ring fails with EPERM."""
    usual = npk.json("search", "s.npk", "v", "--row", "3")["hits"]
    done = subprocess.run(
        [npk.command, "search", "s.npk", "v", "--row", "3", "--json", "--stats"], cwd=npk.folder,
        env=npk.environment(NPK_IO="uring"), preexec_fn=forbid_io_uring, capture_output=True,
        check=True)
    answer = json.loads(done.stdout)
    assert answer["hits"] == usual
    assert answer["stats"]["copied_bytes"] == vectors.nbytes
    done = subprocess.run([npk.command, "show-config", "--json"], preexec_fn=forbid_io_uring,
                          capture_output=True, check=True)
    config = json.loads(done.stdout)
    assert config["io_uring"] is False
    assert "it is forbidden for this process" in config["io_uring_reason"]


def forbid_io_uring():
    io_uring_setup, no_new_privileges, set_seccomp, filter_mode, refuse = 425, 38, 22, 2, 0x50001
    code = struct.pack("HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, io_uring_setup,
                       0x06, 0, 0, refuse, 0x06, 0, 0, 0x7FFF0000)
    memory = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(memory)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
    assert libc.prctl(set_seccomp, filter_mode, program) == 0


def catches(pid: int, number: int) -> bool:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
