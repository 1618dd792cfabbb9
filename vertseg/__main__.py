"""`python -m vertseg`."""

import sys

from vertseg.cli import main

sys.exit(main())
