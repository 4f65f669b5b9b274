"""Which channels of a network are computed: none that matters is left out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.faces.detectors import caffe
from fertools.faces.detectors.caffe import Channels, live_channels, read_layers
from fertools.faces.detectors.cvlib import layers_before_output

NETWORK = """
    layer { name: "first" type: "Convolution" bottom: "data" top: "a" }
    layer { name: "norm" type: "BatchNorm" bottom: "a" top: "a" }
    layer { name: "scale" type: "Scale" bottom: "a" top: "a" }
    layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
    layer { name: "second" type: "Convolution" bottom: "a" top: "b" }
    layer { name: "answer" type: "Permute" bottom: "b" top: "c" }
"""
SHORTCUT = """
    layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "d" }
    layer { name: "third" type: "Convolution" bottom: "d" top: "e" }
    layer { name: "answer" type: "Permute" bottom: "e" top: "f" }
"""
BLOBS = {
    "first": [np.ones((4, 3, 3, 3))],
    "scale": [np.array([1, 1e-5, -1e-5, 1e-5]), np.array([0, -1e-4, 1e-4, 0.5])],
    "second": [np.ones((4, 4, 1, 1))],
    "third": [np.ones((2, 4, 1, 1))],
}


def blob(name: str, index: int) -> NDArray[np.float32]:
    return BLOBS[name][index].astype(np.float32)


def test_a_dead_channel_is_neither_made_nor_read() -> None:
    found = live_channels(read_layers(NETWORK), blob)
    assert set(found) == {"first", "norm", "scale", "relu", "second"}
    assert found["first"].read.tolist() == [True] * 3
    # The second and third are dead; the last is as good as constant, but not dead.
    for name in ("first", "norm", "scale", "relu"):
        assert found[name].written.tolist() == [True, False, False, True]
    assert found["second"].read.tolist() == [True, False, False, True]
    assert found["second"].written.all()


def test_a_shortcut_keeps_what_it_carries() -> None:
    before = NETWORK[: NETWORK.index('    layer { name: "answer"')]
    found = live_channels(read_layers(before + SHORTCUT), blob)
    assert all(channels.read.all() and channels.written.all() for channels in found.values())


def test_weights_are_cut_to_the_channels() -> None:
    channels = Channels(np.array([True, False, True]), np.array([False, True]))
    weights = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
    assert channels.select(weights).ravel().tolist() == [3, 5]
    assert channels.select(np.array([7, 8], np.float32)).tolist() == [8]
    assert channels.select(np.array([[9]], np.float32)).tolist() == [[9]]


@pytest.mark.parametrize(
    ("layer", "read", "written"),
    [
        ("layer_128_1_conv2", 106, 70),
        ("layer_256_1_conv1", 70, 250),
        ("layer_512_1_conv1_h", 224, 128),
        ("conv4_3_norm_mbox_loc", 70, 16),
    ],
)
def test_which_channels_of_cvlibs_network_are_dead(layer: str, read: int, written: int) -> None:
    net = caffe.read_net()
    layers = layers_before_output(read_layers(caffe.model_files()[0].read_text("utf-8")))
    found = live_channels(
        layers, lambda name, index: np.asarray(net.getParam(name, index), np.float32)
    )
    assert found[layer].read.sum() == read
    assert found[layer].written.sum() == written
