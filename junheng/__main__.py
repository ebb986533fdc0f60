"""`python -m junheng` is the command `junheng`."""

import sys

from junheng.cli import main

sys.exit(main())
