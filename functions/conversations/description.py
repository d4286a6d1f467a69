"""The service's description of itself: openapi.json, which a test holds to the code of all functions."""

import json
import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("openapi.json")


@cache
def document() -> str:
    return FILE.read_text(encoding="utf-8")


def allowed(path: str) -> list[str]:
    """The methods that the path is served under; none where it is no path of this service."""
    for template, operations in json.loads(document())["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return sorted(method.upper() for method in operations)
    return []


def page() -> str:
    """A page to read the description and try it, whole: nothing of it is fetched from elsewhere."""
    # 1.5 MB of scripts that only this page needs
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    return swagger_ui.generate_swagger_html(
        spec=document().replace("</", "<\\/"),
        swagger_js=(folder / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        swagger_css=(folder / "swagger-ui.min.css").read_text(encoding="utf-8"),
        swagger_base_url="",
        oauth2_config=None,
        persist_authorization=False,
    )
