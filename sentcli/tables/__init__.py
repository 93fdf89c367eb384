"""Tables of any size: a reader and a writer for each format."""
