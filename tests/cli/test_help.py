"""Help, version, and what is no verb."""

import re
import shlex

import numpy as np
import pytest
from conftest import USAGE

VERBS = ["import", "export", "ls", "info", "head", "rows", "changes", "append", "replace",
         "delete", "drop", "clone", "compact", "attrs", "search", "verify", "torture",
         "show-config"]
WRITING = {"import", "append", "replace", "delete", "drop", "clone", "compact", "attrs"}


def test_help_lists_every_verb_in_a_group(npk):
    text = npk("--help").out
    groups = re.findall(r"^([A-Z][^\n]*):\n((?:  [^\n]*\n)+)", text, re.M)
    listed = [line.split()[0] for name, lines in groups if name not in ("Options", "Usage")
              for line in lines.splitlines()]
    assert listed == VERBS
    assert "0 ok, 1 failure, 2 usage, 3 damaged data, 4" in text


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(npk, verb):
    outcome = npk(verb, "--help")
    assert outcome.err == ""
    assert f"\n  npk {verb}" in outcome.out.split("Example:")[1]
    assert "--json" in outcome.out and "--no-progress" in outcome.out
    assert ("--durability" in outcome.out) == (verb in WRITING)
    assert max(map(len, outcome.out.splitlines())) <= 100


@pytest.mark.parametrize("verb", VERBS)
def test_the_examples_work(npk, rng, verb):
    npk.imported("embeddings", rng.standard_normal((40, 8)).astype("f4"), "features.npk")
    for old in ("old", "older"):
        npk.imported(old, np.arange(3), "features.npk")
    names = "".join(f"p{i}\n" for i in range(39)) + "postgresql\n"
    npk.write("names.txt", names)
    npk("import", "names.txt", "features.npk", "--name", "labels")
    npk.save("vectors.npy", rng.standard_normal((5, 8)).astype("f4"))
    npk.save("more.npy", rng.standard_normal((2, 8)).astype("f4"))
    npk.save("fixed.npy", rng.standard_normal((3, 8)).astype("f4"))
    npk.save("query.npy", rng.standard_normal(8).astype("f4"))
    if verb == "import":
        npk("drop", "features.npk", "embeddings")
    if verb == "export":
        (npk.folder / "vectors.npy").unlink()
    examples = npk(verb, "--help").out.split("Example:")[1].strip().splitlines()
    for example in examples:
        npk(*shlex.split(example)[1:])


def test_version_is_printed(npk):
    assert re.fullmatch(r"npk \d+\.\d+\.\d+\n", npk("--version").out)


def test_no_verb_is_a_usage_error(npk):
    outcome = npk(code=USAGE)
    assert outcome.out == "" and "a verb is missing" in outcome.err and "--help" in outcome.err


@pytest.mark.parametrize("given, meant",
                         [("serach", "search"), ("lst", "ls"), ("improt", "import")])
def test_a_misspelt_verb_is_guessed(npk, given, meant):
    assert f"did you mean '{meant}'?" in npk(given, "s.npk", code=USAGE).err


def test_a_foreign_verb_is_not_guessed(npk):
    outcome = npk("transmogrify", code=USAGE)
    assert "there is no verb 'transmogrify'" in outcome.err and "mean" not in outcome.err


@pytest.mark.parametrize("arguments, says", [
    (["ls"], "STORE is required"),
    (["ls", "s.npk", "extra"], "extra"),
    (["ls", "s.npk", "--colour"], "--colour"),
    (["head", "s.npk", "v", "-n", "x"], "'x' is no integer of 0 to 18446744073709551615"),
    (["head", "s.npk", "v", "-n", "-1"], "'-1' is no integer of 0"),
    (["search", "s.npk", "v", "--row", "0", "-k", "-1"], "'-1' is no integer of 0"),
    (["search", "s.npk", "v", "--row", "0", "--threads", "4294967296"], "of 0 to 4294967295"),
    (["search", "s.npk", "v"], "--queries FILE, --row ROW and --like LABEL"),
    (["search", "s.npk", "v", "--row", "1", "--query", "q.npy"], "one of --query"),
    (["search", "s.npk", "v", "--row", "1.5"], "'1.5' is no row number"),
    (["search", "s.npk", "v", "--like", "x"], "needs --labels"),
    (["search", "s.npk", "v", "--row", "1", "--metric", "manhattan"], "known are cosine"),
    (["append", "s.npk", "v", "a.npy", "--durability", "forever"], "'forever' is none of none"),
    (["replace", "s.npk", "v", "a.npy"], "--rows is required"),
    (["delete", "s.npk", "v"], "--rows is required"),
])
def test_wrong_arguments_are_usage_errors(npk, arguments, says):
    error = npk.refused(*arguments, code=USAGE, says=says)
    assert error["code"] == "Usage"


def test_a_usage_error_names_the_verbs_help(npk):
    assert "Try 'npk rows --help'." in npk("rows", code=USAGE).err


@pytest.mark.parametrize("name", ["ls", "search", "-weird", "--json", "a,b", "ü"])
def test_arrays_may_be_named_like_verbs_and_options(npk, name):
    npk.save("x.npy", np.arange(3))
    npk("import", "x.npy", "s.npk", f"--name={name}")
    assert npk("info", "s.npk", "--", name).out.splitlines()[0].split() == ["array", name]
