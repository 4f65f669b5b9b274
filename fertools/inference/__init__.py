"""Use a trained network: evaluate it, predict with it, export it.

evaluate          measure a run on a split, on people that it has not seen
predictions       a network's predictions for a split
predictions_file  predictions.parquet
metrics           figures of those predictions, with intervals over people
plots             their pictures
predict           predict the emotion in photos
export            convert the network to ONNX, SavedModel or LiteRT
card              the model card
"""
