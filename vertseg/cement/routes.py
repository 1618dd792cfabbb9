"""Ways out of a vertebra and what they are counted as."""

from typing import Final

ROUTES: Final = ("B", "S", "C_canal", "C_other", "D")
"""`vertseg.labels.LEAK_ROUTES`, with cortical leaks into the canal told apart from the rest."""

BASIVERTEBRAL, SEGMENTAL, CORTEX_CANAL, CORTEX_OTHER, DISC = range(len(ROUTES))

LABEL_OF_ROUTE: Final = {"B": "B", "S": "S", "C_canal": "C", "C_other": "C", "D": "D"}
CANAL_ROUTES: Final = ("B", "C_canal")
"""Routes that end in the spinal canal."""
