"""Measures of a segmented vertebra that a vertebroplasty is planned with."""
