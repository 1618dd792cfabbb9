"""`vertseg dicom-node`: CT series come in, segmentations and reports go back; all of it survives a restart."""
