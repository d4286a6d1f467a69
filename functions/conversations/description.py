"""The API's OpenAPI document, openapi.json. It is generated from the code of all functions; a test compares
them."""

import json
import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("openapi.json")
REPLACED_HTML = {
    "<title>Swagger UI</title>": "<title>Messaging API</title>",
    'updateUrl(currentUrl.pathname + "?format=json")': 'updateUrl("/api/openapi.json")',
}
"""What differs from the page of Powertools: the title, and the link to the document."""


@cache
def openapi_document() -> str:
    return FILE.read_text(encoding="utf-8")


def allowed_methods(path: str) -> list[str]:
    """Return the HTTP methods of a path; an empty list if the path does not exist."""
    for template, operations in json.loads(openapi_document())["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return sorted(method.upper() for method in operations)
    return []


def docs_page() -> str:
    """Return a Swagger UI page with all its scripts and styles inline: it loads nothing from other hosts."""
    # imported here, because only this page needs it
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    page = swagger_ui.generate_swagger_html(
        spec=openapi_document().replace("</", "<\\/"),
        swagger_js=(folder / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        swagger_css=(folder / "swagger-ui.min.css").read_text(encoding="utf-8"),
        swagger_base_url="",
        oauth2_config=None,
        persist_authorization=False,
    )
    for original, replacement in REPLACED_HTML.items():
        page = page.replace(original, replacement)
    return page
