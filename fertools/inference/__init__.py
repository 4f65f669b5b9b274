"""Use networks: evaluate, predict, export, and find labels that are likely wrong.

evaluate            measure a run on a split, on people that it has not seen
predictions         run a network on a split
predictions_file    write predictions.parquet
metrics             compute figures of predictions, with intervals over people
against_annotators  compare predictions with the annotators' votes and the ceiling
plots               draw the pictures of an evaluation
predict             predict the emotion in photos
export              convert the network to ONNX, SavedModel or LiteRT
card                write the model card
suspects            rank the labels of train and validation by how likely they are wrong
photos              read the ledger rows and small crops that suspects judges
out_of_fold         predict photos by networks that have not seen the person
wrong_labels        compute the quality of a label from probabilities and votes
"""
