"""The files of the tree, as git sees them: committed ones, and new ones that are not ignored."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def all_files() -> tuple[str, ...]:
    """Paths relative to the root, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(p for p in set(listed.split("\0")) if p and (ROOT / p).is_file()))


def files(*suffixes: str, under: tuple[str, ...] = ("",)) -> list[str]:
    return [p for p in all_files() if p.endswith(suffixes) and p.startswith(under)]


def cpp_files(under: tuple[str, ...] = ("",)) -> list[str]:
    return files(".cc", ".h", under=under)


@functools.cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def is_text(path: str) -> bool:
    # Inputs of fuzzers and golden stores, whatever they look like.
    if path.startswith(("tests/fuzz/corpus/", "tests/store/golden/")):
        return False
    return b"\0" not in (ROOT / path).read_bytes()[:8192]
