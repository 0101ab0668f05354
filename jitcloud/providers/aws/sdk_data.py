"""The SDK's descriptions of the services: read once a process, not once a session.

That of IAM takes 50 ms and 10 MB, and a broker has a session for each of its accounts.
"""

from __future__ import annotations

from functools import cache

import boto3
from botocore.loaders import Loader, create_loader
from botocore.session import Session


def boto3_session(session: Session, region: str | None = None) -> boto3.Session:
    """Make boto3's session of one of botocore's, with the descriptions that others have read."""
    loader = _loader(session.get_config_variable("data_path"))
    session.register_component("data_loader", loader)
    made = boto3.Session(botocore_session=session, region_name=region)
    # Each of boto3's sessions adds boto3's own folder.
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)
    return made


@cache
def _loader(search_path: str | None) -> Loader:
    return create_loader(search_path)
