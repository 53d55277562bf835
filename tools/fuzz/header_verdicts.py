"""Verdicts of the reference implementation of safetensors on the files that `headers.mjs` makes.

    python header_verdicts.py

Reads the files from `node pack.mjs headers` (length and bytes of each) and writes one bit for each, 1 for a file that the
reference reads, as base64 to __fixtures__/header-verdicts.txt. Needed again only when `headers.mjs` makes other files.
"""

import base64
import struct
import subprocess
from pathlib import Path

from safetensors import deserialize

HERE = Path(__file__).parent


def accepts(data: bytes) -> bool:
    try:
        deserialize(data)
        return True
    except Exception:
        return False


def main() -> None:
    packed = subprocess.run(["node", HERE / "pack.mjs", "headers"], check=True, capture_output=True).stdout
    verdicts = []
    at = 0
    while at < len(packed):
        (length,) = struct.unpack_from("<I", packed, at)
        verdicts.append(accepts(packed[at + 4 : at + 4 + length]))
        at += 4 + length
    bits = bytearray((len(verdicts) + 7) // 8)
    for i, verdict in enumerate(verdicts):
        bits[i >> 3] |= verdict << (i & 7)
    out = HERE / "__fixtures__" / "header-verdicts.txt"
    out.write_text(base64.b64encode(bytes(bits)).decode() + "\n")
    print(f"{sum(verdicts)} of {len(verdicts)} are accepted")


if __name__ == "__main__":
    main()
