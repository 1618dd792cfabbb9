"""Vertebrae of a case's label maps, found as everywhere else (`vertseg.frames`)."""

from vertseg.frames import LabelledVertebra, labelled_vertebrae

__all__ = ["LabelledVertebra", "labelled_vertebrae"]
