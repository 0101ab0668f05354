"""Adapters that verify who is calling."""
