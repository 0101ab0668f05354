"""What the SDK knows of the services is read once a process, whatever sessions there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.session import Session

from jitcloud.providers.aws.sdk_data import boto3_session


def loader_of(session: Session) -> Loader:
    loader: Loader = session.get_component("data_loader")
    return loader


def test_sessions_share_what_they_read() -> None:
    one, two = Session(), Session()
    first, second = (boto3_session(session, "eu-west-1") for session in (one, two))
    assert loader_of(one) is loader_of(two)
    assert first.region_name == second.region_name == "eu-west-1"
    described = [
        loader_of(session).load_service_model("sts", "service-2") for session in (one, two)
    ]
    assert described[0] is described[1]


def test_it_is_looked_for_no_longer_with_each_session() -> None:
    session = Session()
    boto3_session(session)
    before = list(loader_of(session).search_paths)
    for _ in range(3):
        boto3_session(Session())
    assert loader_of(session).search_paths == before
    assert len(set(before)) == len(before)


def test_all_that_boto3_itself_can_do_can_be_done() -> None:
    made = boto3_session(Session(), "eu-west-1")
    assert "s3" in made.get_available_resources()
    assert made.get_available_services() == Session().get_available_services()


def test_descriptions_of_ones_own_are_found_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Session()
    boto3_session(elsewhere)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = Session()
    boto3_session(session)
    assert str(tmp_path) in loader_of(session).search_paths
    assert str(tmp_path) not in loader_of(elsewhere).search_paths
