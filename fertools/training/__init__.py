"""Train a network from the shards.

    fit          train(out, run): a line for each stage; the batches that Keras gets
    recipe       every option of a training, those left open chosen by the number of photos
    data         examples as a tf.data.Dataset
    targets      what the network learns of a photo: its label, or the annotators' votes
    model        ResNet for gray faces, and the model that learns
    temperature  one number that makes probabilities right as often as they say
    augment      augmentation on the device
    folds        predict photos by networks that have not seen their people
    backend      TensorFlow, JAX or PyTorch, and the device
    callbacks    keep each epoch, stop at a loss that is not a number, show the progress
    curves       the curves of a training, and where overfitting sets in
    checkpoints  what a training keeps of each epoch
    weights      a model's weights as the bytes of a file
    run          the folder of a training, and whether a training goes on in it

TensorFlow is imported when a network is made, not before.
"""
