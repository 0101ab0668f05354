"""Journals: which shared places were filled by us, remembered apart from the record."""
