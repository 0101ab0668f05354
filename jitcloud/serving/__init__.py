"""One process on one machine: the HTTP API, sweeping and timers, over one record."""
