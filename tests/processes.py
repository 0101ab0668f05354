"""Processes for tests that need several: forked from one that has loaded what they take."""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pytest",
        "hypothesis",
        "jitcloud.config",
        "tests.factories",
        "tests.crashes.lives",
        "tests.described",
    ]
)
