"""The figures of the pages are those of benches/results."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def figures():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "scripts" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_show_what_was_measured():
    for page, text in figures().pages().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run scripts/figures.py"


def test_every_place_for_figures_is_filled():
    for page in figures().pages():
        text = page.read_text(encoding="utf-8")
        places = re.findall(r"<!-- figures: ([^>]*) -->\n(.*?)<!-- end -->", text, re.S)
        assert len(places) == text.count("<!-- figures:"), page.name
        assert [name for name, figures in places if not figures.strip()] == [], page.name
