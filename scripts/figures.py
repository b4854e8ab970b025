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
SGEMM = "OpenBLAS sgemm alone"  # The products without a search.


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


def peer_tables() -> dict[str, dict[str, float]]:
    """{task: {peer: milliseconds at its best}}, from the rows of the comparison."""
    tasks = {}
    for row in json.loads((RESULTS / "peers.json").read_text(encoding="utf-8")):
        task, _, who = row["name"].rpartition(": ")
        if row["unit"] != "ms" or who.startswith("npk against"):
            continue
        peer = who.partition(",")[0]
        times = tasks.setdefault(task, {})
        times[peer] = min(row["value"], times.get(peer, row["value"]))
    return tasks


ONE_QUERY = re.compile(r"\S+ x \d+ (?P<of>bits \w+|\w+) (?:\w+ )?top-10, (?P<threads>\d)T, \w+$")


def one_query_table(rows) -> list[str]:
    """The share of the read bandwidth that one query reaches, by type: from least to most."""
    shares, bars = {}, {}
    for row in rows:
        if match := ONE_QUERY.match(row["name"]):
            shares.setdefault(match["of"], {}).setdefault(match["threads"], []).append(row["ratio"])
            bars[match["threads"]] = row["bar"]
    lines = ["| one query over | " + " | ".join(
        f"{threads} thread{'s' if threads != '1' else ''} (bar {bar})"
        for threads, bar in bars.items()) + " |", "|---" * (len(bars) + 1) + "|"]
    for of, by_threads in shares.items():
        cells = [f"{min(found):.2f} to {max(found):.2f}"
                 for found in (by_threads[threads] for threads in bars)]
        lines.append(f"| {of} | " + " | ".join(cells) + " |")
    return lines


def best_peers_table() -> list[str]:
    """npk beside the quickest of the others where the best 10 are asked for; of NumPack's own
    workloads, from least to most."""
    lines = ["| ms | npk | the quickest other | times as fast |", "|---|---|---|---|"]
    of_numpack = {}
    for task, times in peer_tables().items():
        others = {peer: time for peer, time in times.items() if peer not in ("npk", SGEMM)}
        if task.startswith("NumPack's"):
            for peer, time in others.items():
                of_numpack.setdefault(peer, []).append(time / times["npk"])
        elif others and "top-10," in task:
            best = min(others, key=others.get)
            lines.append(f"| {task} | {number(times['npk'])} | {number(others[best])} ({best}) | "
                         f"{number(others[best] / times['npk'])} |")
    for peer, ratios in of_numpack.items():
        lines.append(f"| {len(ratios)} workloads of NumPack's own benches | | ({peer}) | "
                     f"{number(min(ratios))} to {number(max(ratios))} |")
    return lines


def peers_table() -> list[str]:
    tasks = peer_tables()
    peers = sorted({peer for times in tasks.values() for peer in times} - {"npk"})
    lines = ["| ms | npk | " + " | ".join(peers) + " |", "|---" * (len(peers) + 2) + "|"]
    for task, times in tasks.items():
        cells = [task, *(number(times.get(peer)) for peer in ("npk", *peers))]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def against_table(rows) -> list[str]:
    lines = ["| what | npk, ms | the other, ms | times as fast | bar | holds |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        milliseconds = number(row["value"]) if row["unit"] == "ms" else ""
        lines.append(f"| {row['name']} | {milliseconds} | {number(row['floor'])} | "
                     f"{number(row['ratio'])} | {number(row['bar'])} | "
                     f"{'yes' if row['holds'] else '**no**'} |")
    return lines


def replaced(text: str, name: str, lines: list[str]) -> str:
    pattern = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)", re.S)
    body = "\n".join(lines) + "\n"
    return pattern.sub(lambda match: match.group(1) + body + match.group(2), text)


def pages() -> dict[Path, str]:
    """{page: its text with the figures of benches/results}."""
    machine = (RESULTS / "machine.txt").read_text(encoding="utf-8").strip()
    suites = {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
              for name in ("store", "search", "stream")}
    peers = json.loads((RESULTS / "peers.json").read_text(encoding="utf-8"))
    peers_machine = (RESULTS / "peers-machine.txt").read_text(encoding="utf-8").strip()
    texts = {}
    for page in (ROOT / "README.md", ROOT / "docs" / "benchmarks.md"):
        text = page.read_text(encoding="utf-8")
        text = replaced(text, "machine", [machine])
        for name, rows in suites.items():
            text = replaced(text, name, table(rows))
            text = replaced(text, f"{name} bars", table([r for r in rows if r["bar"]]))
        searches = suites["search"]
        text = replaced(text, "one query", one_query_table(searches))
        text = replaced(text, "other searches", table(
            [r for r in searches if r["bar"] and not ONE_QUERY.match(r["name"])]))
        text = replaced(text, "best peers", best_peers_table())
        text = replaced(text, "peers machine", [peers_machine])
        text = replaced(text, "peers", peers_table())
        text = replaced(text, "peers bars", against_table([r for r in peers if r["bar"]]))
        texts[page] = text
    return texts


def main() -> int:
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
