"""`vertseg serve`: predictions over HTTP, also in the protocols of MONAI Label and KServe v2."""
