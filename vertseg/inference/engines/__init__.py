"""What runs the two networks: torch, ONNX Runtime or OpenVINO behind one small interface."""

from vertseg.inference.engines.base import Arrays, Engine
from vertseg.inference.engines.choice import ENGINES, EngineName, open_engine

__all__ = ["ENGINES", "Arrays", "Engine", "EngineName", "open_engine"]
