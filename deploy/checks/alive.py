"""Health of the api's container: does the process answer? Ends with 0 if so.

It asks for liveness, not readiness: that the database is away is no reason to replace this container.
"""

import http.client
import os
import sys


def alive(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if alive(int(os.environ.get("TANDEM_PORT", "8400"))) else 1)
