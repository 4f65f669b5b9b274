"""Use networks: evaluate, predict, export, and find labels that are likely wrong.

evaluate          measure a run on a split, on people that it has not seen
predictions       a network's predictions for a split
predictions_file  predictions.parquet
metrics           figures of those predictions, with intervals over people
votes             figures against the annotators' votes, and the ceiling
plots             their pictures
predict           predict the emotion in photos
export            convert the network to ONNX, SavedModel or LiteRT
card              the model card
suspects          rank the labels of train and validation by how likely they are wrong
photos            their ledger rows, and their crops made small
out_of_fold       their probabilities by networks that have not seen the person, kept by fold
wrong_labels      the quality of a label, from probabilities and votes
"""
