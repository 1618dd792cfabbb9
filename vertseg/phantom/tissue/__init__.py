"""Everything that is not bone."""
