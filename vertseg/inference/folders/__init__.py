"""Many scans in one run: found in a folder, shared out, read ahead, recorded when finished, summed up."""
