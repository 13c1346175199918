"""Load a bundle on the card, as users' programs do, and say when the first token is chosen: for `benchmarks.cuda`.

    python -m benchmarks.first_token BUNDLE

Prints the token and the time, seconds since 1970. It imports nothing but what the runtime needs.
"""

from __future__ import annotations

import sys
import time

from runtime.backends.cuda import open_cuda
from runtime.bundle import Bundle


def main() -> None:
    backend = open_cuda(Bundle.open(sys.argv[1], hashes=False))
    print(int(backend.feed(list(range(16)), backend.new_state()).argmax()), time.time(), flush=True)


if __name__ == "__main__":
    main()
