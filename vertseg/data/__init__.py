"""Training cases: phantoms and labelled folders, as batches."""
