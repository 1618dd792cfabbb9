"""New scans painted on real label maps."""
