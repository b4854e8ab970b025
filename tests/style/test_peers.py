"""What the comparison with other programs (benches/search) gives them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "search"))

from peer_adapters import best_environment  # noqa: E402


@pytest.mark.parametrize(
    ("cpu_flags", "core_type"),
    [
        ({"sse4_2", "avx2", "avx512f", "avx512vl"}, "SkylakeX"),
        ({"sse4_2", "avx2"}, "Haswell"),
        ({"sse4_2"}, None),
        (set(), None),  # Where Linux calls them otherwise.
    ],
)
def test_openblas_at_its_best_has_the_widest_vectors_there_are(cpu_flags, core_type):
    environment = best_environment(cpu_flags)
    assert environment.get("OPENBLAS_CORETYPE") == core_type
    assert environment["OMP_WAIT_POLICY"] == "passive"
