"""`python -m crowdcount`: the command line where the command `crowdcount` is not on the path."""

import sys

from crowdcount.cli import main

sys.exit(main())
