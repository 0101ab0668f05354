"""Signers: who signs decisive events, where that is not a key of the broker's own."""
