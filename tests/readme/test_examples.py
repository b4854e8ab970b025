"""The reader of Markdown examples finds what there is, and its comparison can fail."""

import markdown_examples as examples
import pytest

MARKDOWN = """# Title
```cpp
int main() {}
```
text
```console
$ npk ls store \\
> --json
{"a": 1}
$ true
```
"""


def test_blocks_have_their_language_text_and_line():
    program, session = examples.blocks(MARKDOWN)
    assert (program.language, program.text, program.line) == ("cpp", "int main() {}\n", 3)
    assert session.line == 7


def test_a_session_is_commands_and_their_outputs():
    first, second = examples.steps(examples.blocks(MARKDOWN)[1])
    assert first.command == "npk ls store \\\n--json"
    assert first.output == '{"a": 1}\n'
    assert (second.command, second.output, second.line) == ("true", "", 10)


def test_output_before_a_command_is_an_error():
    with pytest.raises(ValueError, match="line 3"):
        examples.steps(examples.Block("console", "what\n$ ls\n", 3))


@pytest.mark.parametrize(("expected", "printed"), [
    ("a\nb\n", "a\nb\n"), ("a  \n", "a\n"), ("took ... ms\n", "took 12.5 ms\n"),
    ("a\n...\nz\n", "a\nb\nc\nz\n"), ("", ""),
])
def test_equal_outputs_match(expected, printed):
    assert examples.matches(expected, printed)


@pytest.mark.parametrize(("expected", "printed"), [
    ("a\n", "b\n"), ("a\n", "a\nb\n"), ("", "error\n"), ("took ... ms\n", "took 1 s\n"),
    ("1.5\n", "1x5\n"),
])
def test_different_outputs_do_not_match(expected, printed):
    assert not examples.matches(expected, printed)
