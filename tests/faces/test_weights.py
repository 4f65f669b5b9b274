"""R8, R10: another release of a package may hold another network under the same name."""

from __future__ import annotations

from pathlib import Path

from fertools.faces.detectors.base import weights_digest


def test_a_flipped_byte_in_any_file_is_another_network(tmp_path: Path) -> None:
    graph, weights = tmp_path / "graph", tmp_path / "weights"
    graph.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    before = weights_digest(graph, weights)
    assert before == weights_digest(graph, weights)
    weights.write_bytes(b"weighty")
    assert weights_digest(graph, weights) != before
    weights.write_bytes(b"weights")
    assert weights_digest(weights, graph) != before
