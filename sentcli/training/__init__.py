"""Train a model from a labelled data set and word vectors. Needs the extra `train`."""
