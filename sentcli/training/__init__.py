"""Train a model from a labeled data set and word vectors. Needs the extra `train`."""
