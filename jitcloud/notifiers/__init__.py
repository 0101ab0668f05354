"""Notifiers: how people are told what concerns them."""
