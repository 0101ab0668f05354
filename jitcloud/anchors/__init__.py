"""Where checkpoints of the record are kept, so that nobody rewrites what they say of it."""

TAKEN = "Another process has written a checkpoint meanwhile; nothing is left to do."
"""Where two have gone on from the same leaf: what the one is told that came second."""
