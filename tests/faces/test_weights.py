"""R8, R10: another release of a package may hold another network under the same name."""

from __future__ import annotations

from pathlib import Path

from fertools.faces.detectors.base import detector_name


def name(*files: Path) -> str:
    return detector_name("network", files, "opencv", "f32")


def test_a_flipped_byte_in_any_file_is_another_network(tmp_path: Path) -> None:
    graph, weights = tmp_path / "graph", tmp_path / "weights"
    graph.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    before = name(graph, weights)
    assert before == name(graph, weights)
    weights.write_bytes(b"weighty")
    assert name(graph, weights) != before
    weights.write_bytes(b"weights")
    assert name(weights, graph) != before
