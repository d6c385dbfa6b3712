"""Other servers with the same model and the same load, without a stack.

    python -m bench.serving.peers --model model.onnx --images FOLDER --seconds 3 --peers fastapi_naive,fastapi_tuned

(With a stack among them: `python -m bench.serving --state .pappus --images FOLDER --peers all`.) Each peer has an
environment of its own, which is made with uv, and two worker processes with one thread of onnxruntime each; nothing but
answering is on. Its answers about twenty photographs must be those of the model in process: the same labels, and
probabilities within 0.02. Then every server has its turns, one at a time, each after a measurement of the limit; the
table has medians. A peer that cannot be installed or does not answer is named in it with the reason.
"""

import argparse
from pathlib import Path

from bench.serving.peers.command import add_arguments, compare

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path, required=True, help="an artefact of Pappus: model.onnx")
    add_arguments(arguments, "all")
    options = arguments.parse_args()
    if not options.model.is_file():
        arguments.error(f"There is no file {options.model}.")
    compare(options, None, options.model)
