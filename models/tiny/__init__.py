"""falcon-tiny-instruct: the embedded model. Its files lie in this folder, beside the code that makes them."""

from pathlib import Path

FOLDER = Path(__file__).parent
