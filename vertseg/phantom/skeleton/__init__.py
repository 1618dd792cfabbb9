"""The other bones."""
