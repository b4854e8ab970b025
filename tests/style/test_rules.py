"""Each rule finds the offence it is for, and leaves alone what only looks like it."""

import rules


def test_an_include_that_points_up_is_found():
    assert rules.bad_includes("io/a.cc", '#include "core/store/log.h"\n')
    assert rules.bad_includes("core/store/a.cc", '#include "core/search/plan.h"\n')
    assert rules.bad_includes("include/npk/a.h", '#include "core/base/x.h"\n')
    assert rules.bad_includes("core/base/a.cc", '#include "io/env.h"\n')
    assert rules.bad_includes("bindings/cli/a.cc", '#include "bindings/python/x.h"\n')
    assert rules.bad_includes("examples/cpp/a.cc", '#include "core/store/log.h"\n')
    assert rules.bad_includes("elsewhere/a.cc", "")


def test_an_include_that_points_down_or_sideways_is_allowed():
    assert not rules.bad_includes("core/store/a.cc",
                                  '#include "io/env.h"\n#include "npk/store.h"\n#include <span>\n')
    assert not rules.bad_includes("tests/store/a_test.cc", '#include "core/store/log.h"\n')
    assert not rules.bad_includes("examples/cpp/a.cc", "#include <npk/npk.h>\n")


def test_opening_files_outside_io_is_found():
    assert rules.file_calls("core/store/a.cc", "#include <fcntl.h>\n")
    assert rules.file_calls("formats/a.cc", "#include <fstream>\n")
    assert not rules.file_calls("io/a.cc", "#include <fcntl.h>\n")


def test_a_long_function_is_found_and_a_long_namespace_is_not():
    body = "  call();\n" * 71
    assert rules.long_functions("", f"int f(int a) {{\n{body}}}\n")
    assert rules.long_functions("", f"class A {{\n  void g() const {{\n{body}  }}\n}};\n")
    assert rules.long_functions("", f"A::A(int b) : b_(b), c_{{}} {{\n{body}}}\n")
    assert not rules.long_functions("", "namespace a {\n" + "void f() {\n}\n" * 60 + "}\n")
    assert not rules.long_functions("", "constexpr int kTable[] = {\n" + "  1,\n" * 90 + "};\n")


def test_the_lines_of_a_function_are_counted_right():
    text = ('// { not this\nnamespace n {\n\nint f() {\n  const char* s = "}";\n'
            "  if (s) {\n    return '{';\n  }\n  return 1'000;\n}\n}  // namespace n\n")
    assert rules.functions(text) == [(4, 10)]


def test_a_header_without_guard_or_comment_is_found():
    good = "// What it is.\n#ifndef NPK_IO_A_H_\n#define NPK_IO_A_H_\n\n#endif  // NPK_IO_A_H_\n"
    assert not rules.bad_header("io/a.h", good)
    assert rules.bad_header("io/b.h", good)
    assert rules.bad_header("io/a.h", good.removeprefix("// What it is.\n"))
    assert rules.guard_name("include/npk/store.h") == "NPK_STORE_H_"


def test_printing_and_stopping_in_the_library_is_found():
    assert rules.prints_or_stops("core/a.cc", "  std::cout << 1;\n")
    assert rules.prints_or_stops("io/a.cc", '  fprintf(stderr, "x");\n')
    assert rules.prints_or_stops("core/a.cc", "  std::exit(1);\n")
    assert rules.prints_or_stops("core/a.cc", "  throw 1;\n")
    assert not rules.prints_or_stops("core/a.cc", '  std::snprintf(buffer, 4, "x");\n')
    assert not rules.prints_or_stops("core/a.cc", '  // std::cout\n  f("throw std::exit(1)");\n')
    assert not rules.prints_or_stops("bindings/cli/a.cc", "  std::cout << 1;\n")


def test_machine_paths_and_registry_hosts_are_found():
    assert rules.foreign_names("a.md", "see /ro" + "ot/x\n")
    assert rules.foreign_names("a.md", "pip install -i https://py" + "pi.org/simple\n")
    assert not rules.foreign_names("a.md", "the root of the tree, a PyPI package, work/\n")


def test_long_files_lines_and_loose_ends_are_found():
    assert rules.long_file("a.cc", "x\n" * 501)
    assert not rules.long_file("a.cc", "x\n" * 500)
    assert rules.long_lines("a.py", "x" * 101)
    assert rules.untidy_text("a.cc", "x \n")
    assert rules.untidy_text("a.cc", "\tx\n")
    assert rules.untidy_text("a.cc", "x")
    assert rules.careless_script("a", "set -e\n")


def test_tests_that_are_switched_off_are_found():
    assert rules.skipped_tests("a_test.cc", "TEST(A, DISABLED" + "_IsFine) {}\n")
    assert rules.skipped_tests("test_a.py", "@pytest.mark." + "skip\n")
    assert not rules.skipped_tests("a_test.cc", "TEST(A, WritesToADisabledStore) {}\n")


def test_suites_are_read_from_a_test_file():
    text = "TEST(Log, A) {}\nTEST_F(Store, B) {}\nTEST_P(\n    Kinds, C) {}\n// TEST(No, D)\n"
    assert rules.suites_of(text) == {"Log", "Store", "Kinds"}
