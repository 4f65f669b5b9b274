"""From what a single-shot network says of its 8,892 prior boxes to the boxes of faces.

A prior box is a place where a face may be. The network says how sure it is that one is there, and
where: the face's centre from the prior's, in the prior's sides, and the logarithm of its sides by
the prior's, each in units of a variance (Liu et al., "SSD: Single Shot MultiBox Detector", 2016).

That is what Caffe's DetectionOutput does. But it works out every box that is surer than 0.01, and
the network's Softmax takes as long again; here only those are looked at that are sure enough to
be given, seldom more than fifty. That saves 0.7 ms of 12, and the boxes are the same to 2e-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.faces.caffe import Layer
from fertools.faces.suppression import surest


@dataclass(frozen=True, slots=True)
class Priors:
    """The prior boxes of a network, and how it wants its answers read.

    centres, sides  float32 (N, 2), as shares of the photo's sides: across, down
    variances       float32 (N, 4), of the centre's two offsets and of the two sides
    overlap         IoU above which the less sure of two boxes goes
    least           a confidence below which no answer is given, whatever is asked for
    before, after   how many of the surest boxes are compared, and how many are given
    """

    centres: NDArray[np.float32]
    sides: NDArray[np.float32]
    variances: NDArray[np.float32]
    overlap: float
    least: float
    before: int
    after: int

    @classmethod
    def read(cls, boxes: NDArray[np.float32], output: Layer) -> Priors:
        """From PriorBox's corners and variances, (1, 2, 4 N), and the DetectionOutput layer."""
        corners, variances = boxes.reshape(2, -1, 4).copy()
        low, high = corners[:, :2], corners[:, 2:]
        return cls(
            centres=(low + high) / np.float32(2),
            sides=high - low,
            variances=variances,
            overlap=output.number("nms_threshold"),
            least=output.number("confidence_threshold"),
            before=output.integer("top_k"),
            after=output.integer("keep_top_k"),
        )

    def faces(
        self, offsets: NDArray[np.float32], scores: NDArray[np.float32], floor: float
    ) -> NDArray[np.float32]:
        """The answers of at least a confidence of `floor`, the surest first.

        offsets  float32 (1, 4 N), of each prior x, y, width, height
        scores   float32 (1, 2 N), of each prior "none" and "a face", as they come out of the
                 last convolution

        Gives float32 (M, 5): confidence, x0, y0, x1, y1, the box as shares of the photo's sides.
        """
        margins = scores[0, 1::2] - scores[0, ::2]
        with np.errstate(divide="ignore"):  # a confidence of 1 is a margin of infinity
            threshold = -np.log(1 / np.float64(max(floor, self.least)) - 1)
        sure = np.flatnonzero(margins >= threshold)
        sure = sure[np.argsort(-margins[sure], kind="stable")[: self.before]]
        confidence = 1 / (1 + np.exp(-margins[sure]))  # softmax of two
        moves = offsets.reshape(-1, 4)[sure] * self.variances[sure]
        centres = self.centres[sure] + moves[:, :2] * self.sides[sure]
        halves = np.exp(moves[:, 2:]) * self.sides[sure] / 2
        rows = np.concatenate([confidence[:, None], centres - halves, centres + halves], axis=1)
        return surest(rows, self.overlap)[: self.after]
