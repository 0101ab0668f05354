"""Queues that hand out wake-ups when they are due."""
