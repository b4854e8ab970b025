"""The tree keeps the rules of the house (rules.py): layers, headers, sizes, texts, scripts."""

import os
import subprocess

import pytest
import rules
import tree

CPP = tree.cpp_files()
HEADERS = tree.files(".h")
PYTHON = tree.files(".py")
TEXTS = [p for p in tree.all_files()
         if tree.is_text(p) and not p.startswith("examples/data/packages.txt")]
SCRIPTS = [p for p in tree.all_files() if tree.is_text(p) and tree.text(p).startswith("#!")]
SHELL = [p for p in SCRIPTS if "bash" in tree.text(p).split("\n", 1)[0]]


def offences(rule, paths) -> list[str]:
    return [f"{path}: {what}" for path in paths for what in rule(path, tree.text(path))]


@pytest.mark.parametrize(("rule", "paths"), [
    pytest.param(rules.bad_includes, CPP, id="includes point downwards only"),
    pytest.param(rules.file_calls, CPP, id="only io opens files"),
    pytest.param(rules.bad_header, HEADERS, id="headers open with a comment and have a guard"),
    pytest.param(rules.long_functions, CPP, id="functions of at most 70 lines"),
    pytest.param(rules.long_file, CPP + PYTHON, id="files of at most 500 lines"),
    pytest.param(rules.long_lines, CPP + PYTHON + SHELL, id="lines of at most 100 columns"),
    pytest.param(rules.prints_or_stops, CPP, id="the library never prints, exits or throws"),
    pytest.param(rules.foreign_names, TEXTS, id="no machine paths and no registry hosts"),
    pytest.param(rules.untidy_text, TEXTS, id="no loose ends in texts"),
    pytest.param(rules.careless_script, SHELL, id="scripts stop at errors"),
    pytest.param(rules.skipped_tests, CPP + PYTHON, id="no test is switched off"),
])
def test_rule(rule, paths):
    assert paths, "the rule has nothing to look at"
    found = offences(rule, paths)
    assert not found, "\n" + "\n".join(found)


def test_every_source_is_in_a_folder_of_the_layer_table():
    assert CPP
    assert [p for p in CPP if rules.layer_of(p) is None] == []


def test_each_layer_that_is_there_is_looked_at():
    seen = {rules.layer_of(path) for path in CPP}
    there = {layer for layer in rules.LAYERS
             if any(p.startswith(layer) and p.endswith((".cc", ".h")) for p in tree.all_files())}
    assert seen == there


def test_scripts_are_executable():
    not_executable = [p for p in SCRIPTS if not os.access(tree.ROOT / p, os.X_OK)]
    assert not_executable == []
    assert "scripts/demo" in SCRIPTS and "scripts/test" in SCRIPTS and ".ci/run" in SCRIPTS


def test_scripts_are_clean_for_shellcheck():
    done = subprocess.run(["shellcheck", "-x", *SHELL, "scripts/lib.sh"], cwd=tree.ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sources_are_formatted():
    done = subprocess.run(["clang-format-14", "--dry-run", "--Werror", *CPP], cwd=tree.ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000] + "\nscripts/format repairs it"


@pytest.mark.parametrize(("folder", "most_bytes"), [("examples/data/", 8_000_000),
                                                    ("tests/fuzz/corpus/", 1_000_000)])
def test_data_in_the_tree_stays_small(folder, most_bytes):
    size = sum((tree.ROOT / p).stat().st_size for p in tree.files("", under=(folder,)))
    assert 0 < size <= most_bytes


def test_the_root_files_are_there():
    wanted = {"CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
              "LICENSE", "docs/architecture.md", "docs/format.md"}
    assert wanted - set(tree.all_files()) == set()
