"""ResNet v1.5 for gray faces (He et al. 2016; v1.5: the stride sits in the 3×3 convolution).

          ┌── 1×1, w ── 3×3, w, stride s ── 1×1, 4w ──┐            every convolution without bias,
     x ───┤                                           + ── ReLU    followed by batch norm and,
          └── 1×1, 4w, stride s (first block only) ───┘            but for the last, ReLU

     stem 7×7, w, stride 2 · max 3×3, stride 2 · stages of w, 2w, 4w, 8w · head

Padding is that of the textbook, k // 2 on every side. Keras' "same" pads an even image by one
more at the right and the bottom only, which moves a feature map by half a pixel at each stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import layers


@dataclass(frozen=True, slots=True)
class ResNet:
    """A body without input and head: calling it on (N, H, W, 1) gives (N, H / 32, W / 32, C).

    blocks       blocks in each stage, such as (3, 4, 6, 3)
    width        w of the picture; C is 4 w 2^(stages - 1)
    init         kernel initialiser; `seed` makes each layer's own
    zero_gamma   begin the last batch norm of every block with 0, so that it begins as identity
    """

    blocks: Sequence[int]
    width: int = 64
    init: str = "he_normal"
    zero_gamma: bool = False

    def __call__(self, x: Any) -> Any:
        """Apply the body to a symbolic tensor.

        Every layer has a name: Keras' own would count the process's layers, and the same weights
        would not be the same bytes.
        """
        # The stem stays in small networks too: under oneDNN, TensorFlow 2.21 crashes on a 1×1
        # convolution of stride 2 that reads an image of one to three channels.
        x = layers.ReLU(name="stem_relu")(self._convolve(x, self.width, 7, 2, "stem"))
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
        for stage, blocks in enumerate(self.blocks):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                x = self._block(x, self.width << stage, stride, f"stage{stage + 1}_{block + 1}")
        return x

    def _block(self, x: Any, width: int, stride: int, name: str) -> Any:
        shortcut = x
        if stride > 1 or x.shape[-1] != 4 * width:
            shortcut = self._convolve(x, 4 * width, 1, stride, f"{name}_shortcut")
        x = layers.ReLU(name=f"{name}_a_relu")(self._convolve(x, width, 1, 1, f"{name}_a"))
        x = layers.ReLU(name=f"{name}_b_relu")(self._convolve(x, width, 3, stride, f"{name}_b"))
        x = self._convolve(x, 4 * width, 1, 1, f"{name}_c", zero=self.zero_gamma)
        return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))

    def _convolve(
        self, x: Any, filters: int, side: int, stride: int, name: str, *, zero: bool = False
    ) -> Any:
        if stride > 1 and side > 1:
            x = layers.ZeroPadding2D(side // 2, name=f"{name}_pad")(x)
        x = layers.Conv2D(
            filters,
            side,
            stride,
            padding="valid" if stride > 1 else "same",
            use_bias=False,
            kernel_initializer=self.init,
            name=f"{name}_conv",
        )(x)
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer="zeros" if zero else "ones",
            name=f"{name}_norm",
        )(x)
