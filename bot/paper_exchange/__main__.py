"""`python -m paper_exchange`: the paper exchange as a program of its own."""

import sys

from paper_exchange.server.command import main

sys.exit(main())
