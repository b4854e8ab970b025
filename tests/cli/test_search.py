"""search: queries from files, rows and labels; what it prints; labels that do not fit."""

import threading

import numpy as np
import pytest
from conftest import FAILURE

LABELS = ["postgresql\tdatabase", "mysql\tdatabase", "vim\teditor", "emacs\teditor", "nano",
          "vim\tagain"]


@pytest.fixture
def store(npk, rng):
    """Six vectors; row 1 is near row 0, row 3 near row 2, row 5 nearer."""
    vectors = rng.standard_normal((6, 16)).astype("f4")
    vectors[1] = vectors[0] + 0.1
    vectors[3] = vectors[2] + 0.1
    vectors[5] = vectors[2] * 2 + 0.01
    npk.imported("v", vectors)
    npk.write("labels.txt", "".join(label + "\n" for label in LABELS))
    npk("import", "labels.txt", "s.npk")
    return vectors


def cosine(vectors, query):
    vectors, query = vectors.astype("f8"), query.astype("f8")
    return vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)


def test_a_row_finds_its_neighbours(npk, store):
    answer = npk.json("search", "s.npk", "v", "--row", "2", "-k", "3")
    assert set(answer) == {"schema_version", "command", "store", "array", "metric", "k", "query",
                           "hits"}
    assert answer["query"] == {"row": 2} and answer["metric"] == "cosine"
    assert [hit["row"] for hit in answer["hits"]] == [2, 5, 3]
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
    expected = cosine(store, store[2])
    for hit in answer["hits"]:
        assert hit["score"] == pytest.approx(expected[hit["row"]], abs=1e-12)
    from_the_end = npk.json("search", "s.npk", "v", "--row", "-4")["hits"]
    assert [hit["row"] for hit in from_the_end][:2] == [2, 5]


def test_a_file_is_a_query(npk, store):
    for query in (store[0], store[:1]):
        npk.save("q.npy", query)
        answer = npk.json("search", "s.npk", "v", "--query", "q.npy", "-k", "2")
        assert [hit["row"] for hit in answer["hits"]] == [0, 1]
        assert answer["query"] == {"file": "q.npy"}


@pytest.mark.parametrize("labels", ["labels", "labels.txt", "./labels.txt"])
def test_a_label_finds_what_is_like_it(npk, store, labels):
    answer = npk.json("search", "s.npk", "v", "--like", "postgresql", "--labels", labels, "-k", "2")
    assert answer["query"] == {"label": "postgresql", "row": 0}
    assert [(hit["label"], hit["description"]) for hit in answer["hits"]] == [
        ("postgresql", "database"), ("mysql", "database")]
    table = npk("search", "s.npk", "v", "--like", "postgresql", "--labels", labels, "-k", "2").out
    assert table.splitlines()[0].split() == ["rank", "row", "score", "label", "description"]
    assert table.splitlines()[2].split()[:2] == ["2", "1"]
    assert table.endswith("mysql       database\n")


def test_a_label_without_description_has_none(npk, store):
    answer = npk.json("search", "s.npk", "v", "--like", "nano", "--labels", "labels", "-k", "1")
    assert answer["hits"][0]["description"] is None


def test_of_several_rows_with_the_label_the_first_is_taken_and_this_is_said(npk, store):
    outcome = npk("search", "s.npk", "v", "--like", "vim", "--labels", "labels", "-k", "1")
    assert "label of 2 rows; the first, 2, is taken" in outcome.err
    assert outcome.out.splitlines()[1].split()[:2] == ["1", "2"]


@pytest.mark.parametrize("label, says", [
    ("sql", "'postgresql', 'mysql'"), ("cobol", "no label in 'labels' is 'cobol'"),
    ("postgresql\tdatabase", "no label"), ("Vim", "no label"), ("", "no label")])
def test_a_label_that_is_not_there_is_not_found(npk, store, label, says):
    error = npk.refused("search", "s.npk", "v", "--like", label, "--labels", "labels", says=says)
    assert error["code"] == "NotFound"


def test_labels_must_be_as_many_as_rows(npk, store):
    npk("delete", "s.npk", "v", "--rows", "0")
    for labels in ("labels", "labels.txt"):
        error = npk.refused("search", "s.npk", "v", "--row", "0", "--labels", labels,
                            says="has 6 labels, but array 'v' has 5 rows")
        assert error["code"] == "InvalidArgument"
        assert "npk delete STORE v,LABELS" in error["message"]
    npk("delete", "s.npk", "labels", "--rows", "0")
    answer = npk.json("search", "s.npk", "v", "--like", "vim", "--labels", "labels", "-k", "1")
    assert answer["query"]["row"] == 1


@pytest.mark.parametrize("labels, code, says", [
    ("none", "InvalidArgument", "is no array of the store, so labels are looked for in a file"),
    ("none.txt", "NotFound", "none.txt"), ("v", "InvalidArgument", "float32 of shape (6, 16)")])
def test_labels_that_are_no_text_are_refused(npk, store, labels, code, says):
    error = npk.refused("search", "s.npk", "v", "--row", "0", "--labels", labels, says=says)
    assert error["code"] == code


def test_labels_are_of_the_rows_that_were_searched_whatever_is_deleted_meanwhile(npk):
    count = 2_000
    npk.imported("v", np.arange(count, dtype="f4")[:, None])
    npk.write("names.txt", "".join(f"r{i}\n" for i in range(count)))
    npk("import", "names.txt", "s.npk")
    stop = threading.Event()

    def delete():
        while not stop.is_set():
            npk("delete", "s.npk", "v,names", "--rows", "0")

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for i in range(30):
            label = f"r{count - 1 - i}"
            hits = npk.json("search", "s.npk", "v", "--like", label, "--labels", "names",
                            "--metric", "l2", "-k", "1")["hits"]
            assert (hits[0]["label"], hits[0]["score"]) == (label, 0)
    finally:
        stop.set()
        thread.join()


def test_changes_are_seen_at_once(npk, store):
    npk.save("more.npy", store[:1] * 3)
    npk("append", "s.npk", "v", "more.npy")
    rows = [h["row"] for h in npk.json("search", "s.npk", "v", "--row", "0", "-k", "3")["hits"]]
    assert sorted(rows[:2]) == [0, 6] and rows[2] == 1
    npk("delete", "s.npk", "v", "--rows", "1")
    rows = [h["row"] for h in npk.json("search", "s.npk", "v", "--row", "0", "-k", "9")["hits"]]
    assert sorted(rows) == [0, 1, 2, 3, 4, 5] and sorted(rows[:2]) == [0, 5]


@pytest.mark.parametrize("metric, expected", [
    ("dot", lambda v, q: v @ q), ("L2", lambda v, q: np.linalg.norm(v - q, axis=1)),
    ("l2sq", lambda v, q: ((v - q) ** 2).sum(axis=1)), ("inner_product", lambda v, q: v @ q)])
def test_metrics_are_known_by_name_and_alias(npk, store, metric, expected):
    answer = npk.json("search", "s.npk", "v", "--row", "2", "--metric", metric, "--threads", "1")
    scores = expected(store.astype("f8"), store[2].astype("f8"))
    assert len(answer["hits"]) == 6
    for hit in answer["hits"]:
        assert hit["score"] == pytest.approx(scores[hit["row"]], abs=1e-9)


def test_bits_are_searched(npk, rng):
    bits = npk.imported("b", rng.integers(0, 256, (50, 8), dtype="u1"))
    distance = np.unpackbits(bits ^ bits[7], axis=1).sum(axis=1)
    answer = npk.json("search", "s.npk", "b", "--row", "7", "--metric", "hamming", "-k", "50")
    assert [hit["score"] for hit in answer["hits"]] == sorted(distance)


def test_scores_that_are_no_number_come_last_as_text(npk):
    npk.imported("v", np.array([[1, 0], [np.nan, 1], [0.5, 0.5]], "f4"))
    npk.save("q.npy", np.array([1, 0], "f4"))
    arguments = ["search", "s.npk", "v", "--query", "q.npy"]
    assert [hit["score"] for hit in npk.json(*arguments)["hits"]][::2] == [1.0, "NaN"]
    assert npk(*arguments).out.splitlines()[-1].split() == ["3", "1", "nan"]


def test_no_rows_give_no_hits(npk, store):
    assert npk.json("search", "s.npk", "v", "--row", "0", "-k", "0")["hits"] == []
    npk.imported("e", np.zeros((0, 16), "f4"))
    npk.save("q.npy", store[0])
    assert npk.json("search", "s.npk", "e", "--query", "q.npy")["hits"] == []
    assert npk("search", "s.npk", "e", "--query", "q.npy").out.split() == ["rank", "row", "score"]


@pytest.mark.parametrize("query", [np.zeros(15, "f4"), np.zeros((2, 16), "f4"), np.zeros((), "f4"),
                                   np.full(16, np.nan, "f4"), np.zeros(16, "c8")])
def test_queries_that_do_not_fit_are_refused(npk, store, query):
    npk.save("q.npy", query)
    error = npk.refused("search", "s.npk", "v", "--query", "q.npy", code=FAILURE)
    assert error["code"] in ("InvalidArgument", "Unsupported")


def test_a_row_that_is_not_there_is_out_of_range(npk, store):
    assert npk.refused("search", "s.npk", "v", "--row", "6")["code"] == "OutOfRange"


def test_labels_cannot_steer_the_terminal(npk):
    npk.imported("v", np.eye(2, dtype="f4"))
    npk.write("l.txt", "\x1b[2Jevil\tvery\x07\nok\n")
    out = npk("search", "s.npk", "v", "--row", "0", "--labels", "l.txt").out
    assert "\\x1b[2Jevil" in out and "\x1b" not in out and "\x07" not in out
