#!/usr/bin/env python3
"""Draws benches/results/peers.json: docs/peers-*.svg.

Run by scripts/figures --peers with the Python of .venv-peers, which has matplotlib. A dot is a
peer's time over npk's: what lies right of the line is slower than npk.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)
from figures import ROOT, peer_tables

DOCS = ROOT / "docs"
MARKERS = "osD^v<>P*X"
PLOTS = {
    "peers-one-query": ("One query", lambda name: ", 1 query" in name and "NumPack's" not in name),
    "peers-many-queries": ("Many queries", lambda name: "queries" in name
                           and "NumPack's" not in name),
    "peers-numpack": ("NumPack's own workloads", lambda name: name.startswith("NumPack's")),
}


def draw(path: Path, title: str, tasks: dict[str, dict[str, float]]) -> None:
    peers = sorted({peer for times in tasks.values() for peer in times if peer != "npk"})
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.27 * len(tasks)))
    for peer, marker in zip(peers, MARKERS, strict=False):
        points = [(times[peer] / times["npk"], y) for y, times in enumerate(tasks.values())
                  if peer in times]
        axes.scatter(*zip(*points, strict=True), s=22, marker=marker, label=peer, alpha=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([x for x in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low < x < high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_yticks(range(len(tasks)), [name.removeprefix("NumPack's: ") for name in tasks],
                    fontsize=7)
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.25)
    axes.set_xlabel("time of the peer at its best / time of npk")
    axes.set_title(title)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> int:
    plt.rcParams["svg.hashsalt"] = "npk"  # The same file from the same figures.
    plt.rcParams["svg.fonttype"] = "none"
    tables = peer_tables()
    for name, (title, belongs) in PLOTS.items():
        tasks = {task: times for task, times in tables.items() if belongs(task)}
        if not tasks:  # A part of the comparison, made with --filter.
            continue
        path = DOCS / f"{name}.svg"
        draw(path, title, tasks)
        # matplotlib ends lines with blanks.
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
