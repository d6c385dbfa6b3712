"""The messages of the Open Inference Protocol over gRPC: `make generated` writes them from open_inference.proto."""
