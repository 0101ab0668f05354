"""Every parser there is. A new one joins by standing in one of these lists, and nothing else."""

from __future__ import annotations

from tests.hostile import of_calls, of_clouds, of_records, of_text, of_tokens
from tests.hostile.parser import Parser

PARSERS: tuple[Parser, ...] = (
    *of_text.PARSERS,
    *of_tokens.PARSERS,
    *of_records.PARSERS,
    *of_calls.PARSERS,
    *of_clouds.PARSERS,
)
