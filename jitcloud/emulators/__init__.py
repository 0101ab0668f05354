"""Clouds on this machine, which judge access truly: for tests, demos and trying policy out."""
