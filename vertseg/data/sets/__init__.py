"""Adapters of labelled data sets in their public layouts."""
