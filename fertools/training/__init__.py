"""A run: a network trained from the shards, and the truth about it.

load(out, split)           a split as a tf.data.Dataset
train(out, run)            ResNet-50, or a smaller one, from the shards
evaluate(run, out)         measures it on people that it has not seen
predict(run, *photos)      the build's own look at photos, then the network
export(run, to="onnx")     the network for others to run

TensorFlow is imported when a network is made, not before.
"""

from fertools.training.evaluation import Evaluation, evaluate
from fertools.training.exports import Export, export
from fertools.training.fit import train
from fertools.training.input import load
from fertools.training.prediction import Prediction, predict
from fertools.training.recipe import TrainRecipe
from fertools.training.run import Run

__all__ = [
    "Evaluation",
    "Export",
    "Prediction",
    "Run",
    "TrainRecipe",
    "evaluate",
    "export",
    "load",
    "predict",
    "train",
]
