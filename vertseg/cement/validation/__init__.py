"""The injection simulator against published vertebroplasty series."""
