"""Lightning training of both networks."""
