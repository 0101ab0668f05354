"""A deployment on another machine, by its HTTP API: what ``library`` is to one on this machine.

What it answers is foreign: bounded, checked, and shown escaped. Nothing here prints, and no token
goes into a file, a log, an error or a repr.
"""
