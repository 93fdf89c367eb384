"""Self-training: teachers label texts that have no labels, and a student learns from both."""
