"""Lets a failing assertion in a contract suite show its values, as in a test module."""

import pytest

pytest.register_assert_rewrite("tests.contract.directories")
pytest.register_assert_rewrite("tests.contract.notifiers")
pytest.register_assert_rewrite("tests.contract.slot_kinds")
pytest.register_assert_rewrite("tests.contract.stores")
pytest.register_assert_rewrite("tests.contract.tickets")
