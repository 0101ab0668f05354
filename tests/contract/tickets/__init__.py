"""What everything that knows tickets must do. To try one of yours, derive from this class.

What it knows: ``OPS-1``, which is open where it knows that, and no issue that is called ``OPS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitcloud.errors import JitError
from jitcloud.ports import Tickets

NONE = [
    pytest.param("", id="empty"),
    pytest.param(" ", id="blank"),
    pytest.param("OPS", id="no-number"),
    pytest.param("-1", id="no-project"),
    pytest.param("OPS-1 ", id="blank-behind"),
    pytest.param("\tOPS-1", id="tab-before"),
    pytest.param("OPS-1\n", id="line-end-behind"),
    pytest.param("OPS-1\r\nX-Header: 1", id="header"),
    pytest.param("OPS-1\x00", id="nul"),
    pytest.param("OPS-1\u200b", id="zero-width"),
    pytest.param("\u202eOPS-1", id="right-to-left"),
    pytest.param("OPS-1\ud800", id="surrogate"),
    pytest.param("OPS-1/../OPS-1", id="parent"),
    pytest.param("../../../admin", id="traversal"),
    pytest.param("..%2f..%2fadmin", id="traversal-in-percent"),
    pytest.param("OPS-1/transitions", id="path"),
    pytest.param("OPS-1?fields=*all", id="query"),
    pytest.param("OPS-1#1", id="fragment"),
    pytest.param("OPS-1;x=1", id="parameter"),
    pytest.param("OPS%2D1", id="percent"),
    pytest.param("//example.org/OPS-1", id="another-host"),
    pytest.param("\u041ePS-1", id="cyrillic"),
    pytest.param("\uff2f\uff30\uff33-1", id="full-width"),
    pytest.param("OP\u017f-1", id="long-s-which-is-S-in-capitals"),
    pytest.param("O\u212a-1", id="kelvin-which-is-k-in-small"),
    pytest.param("OPS\u20101", id="hyphen"),
    pytest.param("OPS-\u0661", id="arabic-digit"),
    pytest.param("OPS-\u00b9", id="superscript"),
    pytest.param("O" * 10_000, id="long"),
    pytest.param("OPS-" + "1" * 10_000, id="long-number"),
    pytest.param("O" * 10_000 + "-1", id="long-project"),
]


class TicketsContract(ABC):
    @pytest.fixture
    @abstractmethod
    def tickets(self) -> Tickets: ...

    def test_a_ticket_is_found_and_is_not_closed(self, tickets: Tickets) -> None:
        found = tickets.look("OPS-1")
        assert found is not None
        assert (found.id, found.project) == ("OPS-1", "OPS")
        assert found.is_open is not False

    def test_what_is_found_is_found_again(self, tickets: Tickets) -> None:
        assert tickets.look("OPS-1") == tickets.look("OPS-1")

    @pytest.mark.parametrize("ticket", NONE)
    def test_what_is_not_written_like_a_ticket_is_none(self, tickets: Tickets, ticket: str) -> None:
        assert tickets.look(ticket) is None

    def test_any_text_gives_a_ticket_none_or_an_error_of_ours(self, tickets: Tickets) -> None:
        # A busy machine may take its time to draw a text.
        @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
        @given(st.text(max_size=300) | st.from_regex(r"\A[A-Za-z_]{1,9}-[0-9]{1,9}[^\n]?\Z"))
        def holds(ticket: str) -> None:
            try:
                found = tickets.look(ticket)
            except JitError:
                return
            assert found is None or found.id.isascii()

        holds()

    def test_several_threads_may_look_at_once(self, tickets: Tickets) -> None:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(tickets.look, ["OPS-1", "OPS"] * 8))
        assert [ticket is not None for ticket in found] == [True, False] * 8
