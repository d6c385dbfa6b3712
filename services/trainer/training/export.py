"""A torch network as ONNX bytes that depend on its weights only."""

import logging

import onnx
import torch

LARGEST_BATCH = 256


def export(network: torch.nn.Module, image_size: int) -> bytes:
    """Export the graph `image` uint8 [batch, size, size, 3] -> `features` float32 [batch, d], batch 1..256.

    The exporter's notes about this machine (stack traces with paths) are removed, so that the same network gives the
    same bytes everywhere.
    """
    # It logs at each export that torchvision, whose operators are not used here, is not installed.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    example = torch.zeros((2, image_size, image_size, 3), dtype=torch.uint8)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        external_data=False,
        input_names=["image"],
        output_names=["features"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)},),
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program; check the installed version of torch.")
    model = program.model_proto
    for noted in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
    ):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    for initializer in model.graph.initializer:
        initializer.ClearField("metadata_props")
        initializer.ClearField("doc_string")
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
