"""FastAPI for one who measures: a route without dependencies and response model, simplejpeg, uvloop, httptools."""

import json

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import HOST, PORT, WORKERS

classifier = Classifier()


async def predict(request: Request) -> Response:
    """Answer in the event loop: a model of half a millisecond is not worth a thread."""
    async with request.form() as form:
        file = form["file"]
        assert not isinstance(file, str)
        photograph = await file.read()
    return Response(json.dumps(classifier.answer(photograph)), media_type="application/json")


app = FastAPI(routes=[Route("/predict", predict, methods=["POST"])], openapi_url=None)

if __name__ == "__main__":
    uvicorn.run(
        f"{__spec__.name}:app",
        host=HOST,
        port=PORT,
        workers=WORKERS,
        loop="uvloop",
        http="httptools",
        log_level="critical",
        access_log=False,
    )
