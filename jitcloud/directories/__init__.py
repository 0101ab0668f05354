"""Directories: who people are, in which groups, and who is on call."""
