"""`python -m langchain_segmind.gateway`."""

import sys

from langchain_segmind.gateway.cli import main

if __name__ == "__main__":  # pragma: no branch
    sys.exit(main())
