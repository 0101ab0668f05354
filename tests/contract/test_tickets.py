"""The ticket systems that ship, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.emulators.jira import JiraEmulator
from jitcloud.ports import Tickets
from jitcloud.secret import Secret
from jitcloud.tickets.jira import JiraTickets
from jitcloud.tickets.pattern import PatternTickets
from tests.contract.tickets import TicketsContract


class TestPatternTickets(TicketsContract):
    @pytest.fixture
    def tickets(self) -> Tickets:
        return PatternTickets("[A-Z]+-[0-9]+")


class TestGroupedPatternTickets(TicketsContract):
    @pytest.fixture
    def tickets(self) -> Tickets:
        return PatternTickets(r"(?P<project>[A-Z]{2,10})-[1-9]\d*")


class OnJira(TicketsContract):
    @pytest.fixture
    def jira(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[JiraEmulator]:
        with JiraEmulator() as jira:
            jira.put("OPS-1")
            monkeypatch.setenv("JIRA_TOKEN", jira.token)
            yield jira

    def test_what_is_not_written_like_an_issue_is_never_asked_for(
        self, tickets: Tickets, jira: JiraEmulator
    ) -> None:
        for ticket in ("OPS-1/transitions", "../OPS-1", "10000", "OPS-01"):
            assert tickets.look(ticket) is None
        assert jira.asked == []


class TestJiraCloud(OnJira):
    @pytest.fixture
    def tickets(self, jira: JiraEmulator) -> Tickets:
        return JiraTickets(jira.url, Secret(variable="JIRA_TOKEN"), email=jira.email)


class TestJiraDataCenter(OnJira):
    @pytest.fixture
    def tickets(self, jira: JiraEmulator) -> Tickets:
        return JiraTickets(jira.url, Secret(variable="JIRA_TOKEN"))
