#!/usr/bin/env python3
"""Puts benches/results/*.json into the tables of README.md and docs/benchmarks.md.

Run by scripts/figures after the benches. The tables stand between `<!-- figures: NAME -->` and
`<!-- end -->`; everything between is replaced.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benches" / "results"


def number(value) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def table(rows) -> list[str]:
    lines = ["| what | value | unit | floor | ratio | bar | holds |",
             "|---|---|---|---|---|---|---|"]
    for row in rows:
        holds = "" if not row["bar"] else ("yes" if row["holds"] else "**no**")
        cells = [row["name"], number(row["value"]), row["unit"], number(row["floor"]),
                 number(row["ratio"]), number(row["bar"] or None), holds]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def replaced(text: str, name: str, lines: list[str]) -> str:
    pattern = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)", re.S)
    body = "\n".join(lines) + "\n"
    return pattern.sub(lambda match: match.group(1) + body + match.group(2), text)


def main() -> int:
    machine = (RESULTS / "machine.txt").read_text(encoding="utf-8").strip()
    suites = {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
              for name in ("store", "search", "stream")}
    for page in (ROOT / "README.md", ROOT / "docs" / "benchmarks.md"):
        text = page.read_text(encoding="utf-8")
        text = replaced(text, "machine", [machine])
        for name, rows in suites.items():
            text = replaced(text, name, table(rows))
            text = replaced(text, f"{name} bars", table([r for r in rows if r["bar"]]))
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
