"""The page that shows an API, from files of this installation: it needs no internet and runs no foreign script."""

import json
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

DOCS = "/docs"
OPENAPI = "/openapi.json"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/assets/swagger-ui.css"><link rel="icon" href="docs/assets/favicon.png"></head>
<body><div id="page"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>"""
START = f"SwaggerUIBundle({json.dumps({'url': OPENAPI.lstrip('/'), 'dom_id': '#page', 'deepLinking': True})})"


def serve_docs(app: FastAPI) -> None:
    """Serve the page at /docs; the files of Swagger UI come from the package fastapi-offline."""
    page = PAGE.format(title=app.title)

    @app.get(DOCS, include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get(f"{DOCS}/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(START, media_type="text/javascript")

    app.mount(f"{DOCS}/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
