"""What a SQLite file of ours holds, and how an older one is brought forward."""

from __future__ import annotations

# What is searched or fenced by has a column; ``body`` is the whole, as canonical JSON. A request
# is fenced by the head its snapshot has, not by its last event: whoever spoils a trail must not
# thereby keep a grant from ending.
_FIRST = """
CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    state TEXT NOT NULL,
    seq INTEGER NOT NULL,
    head TEXT NOT NULL,
    wake_at INTEGER, -- microseconds since 1970
    body TEXT NOT NULL
) STRICT;
CREATE INDEX requests_by_wake ON requests (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX requests_by_person ON requests (person, id);
CREATE INDEX requests_by_state ON requests (state, id);

CREATE TABLE events (
    request TEXT NOT NULL REFERENCES requests (id),
    seq INTEGER NOT NULL,
    text TEXT NOT NULL,
    signature TEXT,
    hash TEXT NOT NULL,
    PRIMARY KEY (request, seq)
) STRICT;

CREATE TABLE slots (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    wake_at INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX slots_by_wake ON slots (wake_at, key) WHERE wake_at IS NOT NULL;
"""

# Stops, and the texts that were taken up, have one row; it is fenced as a request is. The
# columns of a mark outdo its ``body``: a commit that makes it due does not read that, so that
# whoever spoils a mark does not keep a grant from ending.
_SECOND = """
ALTER TABLE requests ADD COLUMN review_by INTEGER;
CREATE INDEX requests_by_review ON requests (review_by, id) WHERE review_by IS NOT NULL;
CREATE INDEX requests_by_reviewed ON requests (person, review_by, id) WHERE review_by IS NOT NULL;

CREATE TABLE controls (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    head TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE control_events (
    seq INTEGER NOT NULL PRIMARY KEY,
    text TEXT NOT NULL,
    signature TEXT,
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE marks (
    channel TEXT NOT NULL,
    request TEXT NOT NULL,
    version INTEGER NOT NULL,
    wake_at INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY (channel, request)
) STRICT;
CREATE INDEX marks_by_wake ON marks (wake_at, channel, request) WHERE wake_at IS NOT NULL;
"""

# What tokens said of people; ``body`` is the whole and signed, the rest is to find it by.
_THIRD = """
CREATE TABLE sign_ins (
    person TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL, -- microseconds since 1970
    until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE sign_in_groups (
    name TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES sign_ins (person),
    PRIMARY KEY (name, person)
) STRICT;
CREATE INDEX sign_in_groups_by_person ON sign_in_groups (person);
"""

# What commands were answered, for a day: nothing of the record depends on it.
_FOURTH = """
CREATE TABLE answers (
    name TEXT NOT NULL PRIMARY KEY,
    said TEXT NOT NULL,
    since INTEGER NOT NULL, -- microseconds since 1970
    number INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    answer TEXT
) STRICT;
CREATE INDEX answers_by_end ON answers (kept_until);
"""

MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""What each schema version adds to the one before it. Only ever appended to."""
