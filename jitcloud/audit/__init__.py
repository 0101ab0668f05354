"""The trail: events chained by hash, decisive ones signed, so that any edit shows."""
