"""What the scanner does to the picture."""
