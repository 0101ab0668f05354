"""What one lifetime takes of DynamoDB, as the table grows: calls, and units of its capacity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jitcloud.emulators.ministack import Ministack
from tests.bench.charts import Chart
from tests.bench.figures import Figure
from tests.bench.timing import Say
from tests.dynamodb_tables import a_table, client_of
from tests.stores_dynamodb.lifetimes import fill_up, lifetime
from tests.stores_dynamodb.measured import Meter

COUNTS = (1_000, 10_000, 100_000)
"""A million would take the emulator twenty minutes to write, and shows no more: an index that is
asked for one key is not looked at beside it."""

CALLS, READS, WRITES = "calls", "units of reads", "units of writes"


def measure(folder: Path, say: Say, counts: Sequence[int] = COUNTS) -> Iterator[Figure | Chart]:
    lines: dict[str, list[float]] = {CALLS: [], READS: [], WRITES: []}
    rows: list[float] = []
    with Ministack() as aws:
        for number in counts:
            say(f"making {number:,} requests")
            client = client_of(aws.endpoint_url, aws.account)
            name = a_table(client)
            fill_up(client, name, number)
            place = folder / f"among-{number}"
            place.mkdir()
            say("a lifetime")
            costs = lifetime(place, Meter(aws), name).values()
            lines[CALLS].append(sum(cost.calls.total() for cost in costs))
            lines[READS].append(sum(cost.reads for cost in costs))
            lines[WRITES].append(sum(cost.writes for cost in costs))
            rows.append(sum(cost.rows for cost in costs))
            client.delete_table(TableName=name)
    yield Figure(
        name="growth-in-dynamodb",
        what=f"units of a lifetime among {counts[-1]:,} requests / among {counts[0]:,}",
        value=(lines[READS][-1] + lines[WRITES][-1]) / (lines[READS][0] + lines[WRITES][0]),
        unit="x",
        limit=1.0,
        parts={name: each[-1] for name, each in lines.items()},
        notes=(
            "Asked for, approved by a colleague, given and ended, as a fleet does it.",
            f"It stops at {counts[-1]:,}: the emulator takes minutes to be filled with as many.",
        ),
    )
    yield Chart(
        name="work-dynamodb",
        title="What a lifetime takes of DynamoDB",
        x="requests in the table",
        y="calls and units of capacity",
        labels=tuple(f"{number:,}" for number in counts),
        lines={name: tuple(each) for name, each in lines.items()},
        others={"rows that queries looked at": tuple(rows)},
        form="lines",
        notes=("Counted by an emulator that counts as AWS does; see docs/dynamodb.md.",),
    )
