"""`python -m frontend_proxy.batch FOLDER`: a folder of pictures through a running server."""

import sys

from lucy_client.batch_command import main

if __name__ == "__main__":
    sys.exit(main())
