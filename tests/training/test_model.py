"""The network is the textbook's: every count below was worked out from the paper's table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.errors import DatasetError
from fertools.training.recipe import Recipe
from tests.training.test_run import a_run

pytestmark = pytest.mark.slow


def trainable(model: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_the_full_network_is_resnet_50() -> None:
    from fertools.training.model import build

    model = build(Recipe(), 224, 1000)
    # torchvision's resnet50 has 25,557,032 for three channels; its stem has 64 × 49 × 2 more.
    assert trainable(model) == 25_557_032 - 64 * 49 * 2
    convolutions = [each for each in model.layers if type(each).__name__ == "Conv2D"]
    assert len(convolutions) == 53
    assert all(not each.use_bias for each in convolutions)
    outputs = {each.name: tuple(each.output.shape[1:]) for each in model.layers}
    assert outputs["stem_conv"] == (112, 112, 64)
    assert outputs["stem_pool"] == (56, 56, 64)
    assert [outputs[f"stage{i}_{n}_out"] for i, n in ((1, 3), (2, 4), (3, 6), (4, 3))] == [
        (56, 56, 256),
        (28, 28, 512),
        (14, 14, 1024),
        (7, 7, 2048),
    ]
    # v1.5: the stride is in the 3×3, so the 1×1 before it still sees all of the image.
    assert outputs["stage2_1_a_conv"] == (56, 56, 128)
    assert outputs["stage2_1_b_conv"] == (28, 28, 128)


def test_the_talks_head_costs_what_it_costs() -> None:
    from fertools.training.model import build

    plain = trainable(build(Recipe(), 224, 7))
    talk = trainable(build(Recipe(head="flatten", head_units=512), 224, 7))
    assert talk - plain == (49 * 2048 * 512 + 512) + 512 * 7 - 2048 * 7


def test_a_run_answers_with_probabilities_of_gray_values(tmp_path: Path) -> None:
    from fertools.training.model import build

    run = a_run(tmp_path, depth=8, width=4)
    network = build(run.options, 32, 2)
    network.save_weights(run.weights("best"))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1)).astype(np.float32)
    model = run.model()
    told = model.predict_on_batch(images)
    logits = network.predict_on_batch(images)
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(told, wanted, atol=1e-6)
    # Stretching is inside: another contrast, the same answer; one gray is not a NaN.
    np.testing.assert_allclose(model.predict_on_batch(images * 0.5 + 40), told, atol=1e-4)
    assert np.isfinite(model.predict_on_batch(np.full((1, 32, 32, 1), 7, np.float32))).all()
    with pytest.raises(DatasetError, match=r"last\.weights\.h5 is missing"):
        run.model("last")
    run.weights("last").write_bytes(run.weights("best").read_bytes()[:5000])
    with pytest.raises(DatasetError, match="does not fit"):
        run.model("last")
    with pytest.raises(DatasetError, match="does not fit"):
        a_run(tmp_path, depth=8, width=8).model()
