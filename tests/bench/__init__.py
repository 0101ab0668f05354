"""How fast jitcloud is, as ratios within one run: ``make bench``. pytest times nothing."""
