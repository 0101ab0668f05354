"""How fast jitcloud is, as ratios within one run: ``make bench``. Nothing here is timed by pytest."""
