"""The rules of the house, each a function from a file's path and text to what is wrong with it.

They read C++ as text, which is enough for code that clang-format has laid out. test_rules.py shows
each of them an offence; test_tree.py shows them the tree.
"""

import re

# Who may include whom, by folder; the longest folder that a path begins with counts. Nothing points
# back up: bindings -> formats -> core -> io, simd -> include/npk.
LAYERS = {
    "include/npk/": ("npk/",),
    "simd/": ("npk/", "simd/"),
    "io/": ("npk/", "io/"),
    "core/base/": ("npk/", "core/base/"),
    "core/store/": ("npk/", "io/", "simd/", "core/base/", "core/store/"),
    "core/search/": ("npk/", "io/", "simd/", "core/base/", "core/store/", "core/search/"),
    "formats/": ("npk/", "io/", "simd/", "core/", "formats/"),
    "bindings/c/": ("npk/", "io/", "simd/", "core/", "formats/", "bindings/c/"),
    "bindings/python/": ("npk/", "io/", "simd/", "core/", "formats/", "bindings/python/"),
    "bindings/cli/": ("npk/", "io/", "simd/", "core/", "formats/", "bindings/cli/"),
    "examples/": ("npk/",),
    "tests/install/": ("npk/",),
    "tests/": ("npk/", "io/", "simd/", "core/", "formats/", "bindings/", "tests/"),
    "benches/": ("npk/", "io/", "simd/", "core/", "formats/", "bindings/", "benches/",
                 "tests/support/"),
}

# System headers that open, map or list files: for io/ alone, so that a simulated file system can
# stand in for the real one.
FILE_HEADERS = {
    "fcntl.h", "dirent.h", "sys/mman.h", "sys/stat.h", "sys/statvfs.h", "sys/uio.h", "sys/file.h",
    "sys/vfs.h", "sys/ioctl.h", "linux/fs.h", "liburing.h", "fstream", "filesystem",
}

# Mapped memory without a file: large outputs on huge pages.
MAPS_MEMORY = {("core/base/array.cc", "sys/mman.h")}

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def layer_of(path: str) -> str | None:
    matching = [layer for layer in LAYERS if path.startswith(layer)]
    return max(matching, key=len, default=None)


def bad_includes(path: str, text: str) -> list[str]:
    layer = layer_of(path)
    if layer is None:
        return ["is in no folder of the layer table"]
    found = []
    for kind, target in INCLUDE.findall(text):
        ours = kind == '"' or target.startswith("npk/")
        if ours and not target.startswith(LAYERS[layer]):
            found.append(f"includes {target}, which {layer} may not")
    return found


def file_calls(path: str, text: str) -> list[str]:
    """Only io/ may include what opens files; tests, benches and the command's terminal apart."""
    if not path.startswith(("include/", "core/", "simd/", "formats/")):
        return []
    return [f"includes <{target}>: files are io/'s" for kind, target in INCLUDE.findall(text)
            if kind == "<" and target in FILE_HEADERS and (path, target) not in MAPS_MEMORY]


def without_comments_and_strings(text: str) -> str:
    """The same lines with comments and the insides of literals blanked."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\"]{0,16})\(.*?\)(?P=tag)"'
        r'|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match: re.Match) -> str:
        lines = "\n" * match.group(0).count("\n")
        return lines if match.group(0)[0] == "/" else '""' + lines

    return pattern.sub(blank, text)


def functions(text: str) -> list[tuple[int, int]]:
    """First and last line of each function body that is not inside another one."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: "\n" * m.group(0).count("\n"),
                  without_comments_and_strings(text), flags=re.M)
    found, stack, line, since = [], [], 1, 0
    for position, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            before = code[since:position].strip()
            if position and (code[position - 1].isalnum() or code[position - 1] in "_>"):
                stack.append(("initializer", line))  # a{b}: a body has a blank before its brace
                continue
            inside_function = any(kind == "function" for kind, _ in stack)
            container = re.search(r"\b(namespace|class|struct|union|enum|extern)\b", before)
            is_function = "(" in before and not inside_function and (
                not container or before.endswith((")", "const", "noexcept", "override")))
            stack.append(("function" if is_function else "other", line))
            since = position + 1
        elif character == "}":
            kind, first = stack.pop() if stack else ("other", line)
            if kind == "function":
                found.append((first, line))
            if kind != "initializer":
                since = position + 1
        elif character == ";":
            since = position + 1
    return found


def long_functions(_: str, text: str) -> list[str]:
    return [f"line {first}: a function of {last - first + 1} lines; at most {MAX_FUNCTION_LINES}"
            for first, last in functions(text) if last - first + 1 > MAX_FUNCTION_LINES]


def long_file(_: str, text: str) -> list[str]:
    lines = text.count("\n")
    return [f"{lines} lines; at most {MAX_FILE_LINES}"] if lines > MAX_FILE_LINES else []


def guard_name(path: str) -> str:
    inner = path.removeprefix("include/npk/")
    return "NPK_" + re.sub(r"[^A-Z0-9]", "_", inner.upper()) + "_"


def bad_header(path: str, text: str) -> list[str]:
    found = []
    guard = guard_name(path)
    if not text.startswith("//"):
        found.append("does not open with a comment that says what it is")
    # foreach_target.h includes such a file once per SIMD target: it has no guard of its own.
    per_target = "HWY_TARGET_TOGGLE" in text or path.endswith("-inl.h")
    if not per_target and not re.search(rf"^#ifndef {guard}\n#define {guard}\n", text, re.M):
        found.append(f"has no include guard {guard}")
    if not per_target and not text.endswith(f"#endif  // {guard}\n"):
        found.append(f"does not end with `#endif  // {guard}`")
    return found


PRINTING = re.compile(r"\bstd::(cout|cerr|clog|print|println)\b|(?<![\w:.>])(std::)?"
                      r"(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)\s*\(")
STOPPING = re.compile(r"(?<![\w:.>])(std::)?(exit|_exit|quick_exit)\s*\(|\bthrow\b")


def prints_or_stops(path: str, text: str) -> list[str]:
    """The library never prints, exits or throws."""
    if not path.startswith(("include/", "core/", "io/", "simd/", "formats/")):
        return []
    if path.startswith("io/sim_"):  # The simulated file system is linked by tests only.
        return []
    found = []
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        for pattern, what in ((PRINTING, "prints"), (STOPPING, "exits or throws")):
            if match := pattern.search(line):
                found.append(f"line {number}: {what}: {match.group(0).strip()}")
    return found


# Built from pieces, so that this file does not offend itself.
FOREIGN = re.compile("|".join([
    r"/ro" + r"ot/", r"/wo" + r"rk/", r"/tmp/" + r"wt\b", r"/ho" + r"me/\w",
    r"py" + r"pi\.(org|python)", r"python" + r"hosted\.org", r"deb\.deb" + r"ian\.org",
    r"security\.deb" + r"ian\.org", r"snapshot\.deb" + r"ian\.org", r"registry\.n" + r"pmjs",
    r"crates" + r"\.io", r"proxy\.go" + r"lang\.org", r"conda\.an" + r"aconda",
]))


def foreign_names(_: str, text: str) -> list[str]:
    """Paths of somebody's machine, and hosts that a user's own configuration chooses."""
    return [f"line {number}: names {match.group(0)}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := FOREIGN.search(line))]


def untidy_text(path: str, text: str) -> list[str]:
    found = []
    if text and not text.endswith("\n"):
        found.append("does not end with a line feed")
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            found.append(f"line {number}: blanks at its end")
        if "\t" in line and path.endswith((".cc", ".h", ".py", ".cmake", "CMakeLists.txt")):
            found.append(f"line {number}: a tab")
    return found


def long_lines(_: str, text: str) -> list[str]:
    return [f"line {number}: {len(line)} columns; at most {MAX_COLUMNS}"
            for number, line in enumerate(text.splitlines(), 1) if len(line) > MAX_COLUMNS]


def careless_script(_: str, text: str) -> list[str]:
    return [] if re.search(r"^set -euo pipefail$", text, re.M) else ["lacks `set -euo pipefail`"]


def suites_of(text: str) -> set[str]:
    """Names of the suites whose tests a C++ test file defines."""
    return set(re.findall(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\(\s*(\w+)", text, re.M))


def skipped_tests(_: str, text: str) -> list[str]:
    """A test that is switched off is no test. GTEST_SKIP with a reason at run time is looked at by
    its reader; DISABLED_ and pytest's skip marks are never right."""
    return [f"line {number}: {match.group(0)}" for number, line in enumerate(text.splitlines(), 1)
            if (match := re.search(r"\bDISABLED" r"_\w+|pytest\.mark\.(skip|xfail)\b|#if " r"0\b",
                                   line))]
