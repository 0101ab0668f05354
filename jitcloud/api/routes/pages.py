"""What anybody may see: that it runs, what it offers, and a page to try it with."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from jitcloud.api.answering import response
from jitcloud.api.front import Front
from jitcloud.api.message import Answer

ASSETS = "aws_lambda_powertools.event_handler.openapi.swagger_ui"
"""Where Powertools carries Swagger UI: nothing is loaded from anybody else."""

# Scripts and styles come from here alone; what Swagger UI draws has styles of its own in it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = MappingProxyType({"Content-Security-Policy": _POLICY})

# Relative, so that it works behind any prefix.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>jitcloud API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null
});
"""


def add(router: APIGatewayHttpRouter, front: Front) -> None:
    """Add these routes."""
    del front

    # Not compressed: that would cost whoever is asked a tenth of a second each time.
    def asset(name: str, kind: str) -> Response[str]:
        return Response(200, kind, _asset(name), headers=_HEADERS)

    @router.get("/healthz", operation_id="healthz", tags=["pages"])
    def healthz() -> Response[str]:
        return response(Answer(status=200, body={"status": "ok"}))

    @router.get("/openapi.json", operation_id="openapi", tags=["pages"], compress=True)
    def openapi() -> Response[str]:
        return Response(200, "application/json", _document())

    @router.get("/docs", operation_id="docs", tags=["pages"])
    def docs() -> Response[str]:
        return Response(200, "text/html; charset=utf-8", _PAGE, headers=_HEADERS)

    @router.get("/docs/start.js", include_in_schema=False)
    def start() -> Response[str]:
        return Response(200, "text/javascript; charset=utf-8", _START, headers=_HEADERS)

    @router.get("/docs/swagger-ui.js", include_in_schema=False)
    def script() -> Response[str]:
        return asset("swagger-ui-bundle.min.js", "text/javascript; charset=utf-8")

    @router.get("/docs/swagger-ui.css", include_in_schema=False)
    def style() -> Response[str]:
        return asset("swagger-ui.min.css", "text/css; charset=utf-8")


def _document() -> str:
    from jitcloud.api.openapi import text  # noqa: PLC0415 - a function that serves it rarely does

    return text()


@cache
def _asset(name: str) -> str:
    return files(ASSETS).joinpath(name).read_text("utf-8")
