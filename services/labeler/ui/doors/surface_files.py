"""The scripts of the surface of Review. Their address changes with them, so a browser may keep them."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.labeler.ui.review.surface import FILES

KINDS = {"js": "text/javascript", "css": "text/css"}


async def send_surface_file(request: Request) -> Response:
    """Answer with a file of the surface; 404 if there is none of this name."""
    name = request.path_params["name"]
    if name not in FILES:
        return PlainTextResponse("There is no such file.", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(FILES[name], media_type=KINDS[name.rpartition(".")[2]], headers=headers)
