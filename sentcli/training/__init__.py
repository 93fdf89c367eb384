"""From a labelled data set and word vectors to a trained model. Needs the extra `train`."""
