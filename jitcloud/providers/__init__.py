"""Mechanisms: one folder a cloud, one file a way of granting."""
