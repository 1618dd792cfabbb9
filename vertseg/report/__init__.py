"""Files that a prediction is handed over in."""
