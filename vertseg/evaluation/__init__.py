"""Figures that say how good a prediction is against a reference."""
