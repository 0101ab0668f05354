"""Ticket systems: whether a ticket or an incident that somebody names is there, and open."""
