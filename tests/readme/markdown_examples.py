"""The examples of a Markdown file: fenced blocks, and in shell sessions commands and outputs."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Step:
    """A command of a shell session and what must be printed: `...` stands for anything."""

    command: str
    output: str
    line: int


def blocks(markdown: str) -> list[Block]:
    found = []
    for match in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", markdown, re.M | re.S):
        line = markdown.count("\n", 0, match.start()) + 2
        found.append(Block(match.group(1), match.group(2), line))
    return found


def steps(session: Block) -> list[Step]:
    """`$ command`, with `> ` before each line that continues it, and the output until the next."""
    found: list[Step] = []
    for number, line in enumerate(session.text.splitlines(), session.line):
        if line.startswith("$ "):
            found.append(Step(line[2:], "", number))
        elif not found:
            raise ValueError(f"line {number}: output before the first command")
        elif line.startswith("> ") and not found[-1].output:
            found[-1] = Step(f"{found[-1].command}\n{line[2:]}", "", found[-1].line)
        else:
            found[-1] = Step(found[-1].command, f"{found[-1].output}{line}\n", found[-1].line)
    return found


def matches(expected: str, printed: str) -> bool:
    """Line by line, blanks at the ends of lines apart; `...` within a line stands for any text, and
    alone on a line for any lines."""

    def normal(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())

    parts = re.split(r"(?m)(^\.\.\.$|\.\.\.)", normal(expected))
    pattern = "".join(".*" if part == "..." else re.escape(part) for part in parts)
    return re.fullmatch(pattern, normal(printed), re.S) is not None
