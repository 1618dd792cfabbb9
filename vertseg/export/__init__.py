"""The networks for other runtimes: ONNX, OpenVINO, MONAI bundle."""
