"""Shape and bone of one vertebra."""
