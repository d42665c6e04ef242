"""Text to values and back: the files that people and other versions of artlock write."""
