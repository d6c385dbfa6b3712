"""The Open Inference Protocol over gRPC (remote procedure calls)."""
