"""Diseases and treatment: what is drawn, and how it looks."""
