"""The page that shows an API, from files of this installation: it needs no internet and runs no foreign script."""

import json
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from shared.http.browsers import POLICY
from shared.imaging.drawing import draw_dandelion

DOCS = "/docs"
OPENAPI = "/openapi.json"
PICTURE = "dandelion.png"
"""The example of an upload, below /docs/."""
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/assets/swagger-ui.css"><link rel="stylesheet" href="docs/page.css">
<link rel="icon" href="docs/assets/favicon.png"></head>
<body><div id="page"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>"""
PAGE_POLICY = POLICY.replace("img-src", "img-src blob:")
"""Swagger UI shows a picture that a request brought as an object in memory (blob:)."""
OPTIONS = {
    "url": OPENAPI.lstrip("/"),
    "dom_id": "#page",
    "deepLinking": True,
    "displayRequestDuration": True,
    "defaultModelsExpandDepth": 0,  # the list of schemas at the end starts closed
}
START = f"SwaggerUIBundle({json.dumps(OPTIONS)})"
STYLE = """
.swagger-ui .info { margin: 24px 0 8px }
.swagger-ui .scheme-container { margin: 0; padding: 8px 0; box-shadow: none }
.scope-def, .response-col_links { display: none }
.auth-container .wrapper > .wrapper:has(#password_type),
.auth-container .wrapper:has(> section > #client_id_password),
.auth-container .wrapper:has(> section > #client_secret_password) { display: none }
"""
"""Less empty space; and what means nothing in these APIs is hidden: scopes, links between answers, clients of OAuth."""


def serve_docs(app: FastAPI) -> None:
    """Serve the page at /docs, with an example picture; the files of Swagger UI come from the package
    fastapi-offline."""
    page = PAGE.format(title=app.title)

    @app.get(DOCS, include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get(f"{DOCS}/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(START, media_type="text/javascript")

    @app.get(f"{DOCS}/page.css", include_in_schema=False)
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    @app.get(f"{DOCS}/{PICTURE}", include_in_schema=False)
    def picture() -> Response:
        return Response(draw_dandelion(), media_type="image/png")

    app.mount(f"{DOCS}/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
