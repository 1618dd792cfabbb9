"""A prediction as DICOM objects: a segmentation on the source's own frames and a structured report of measures."""
