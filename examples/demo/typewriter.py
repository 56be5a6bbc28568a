"""Prints the JSON strings from standard input as one text, each as soon as it comes."""

import json
import sys

wanted, count = int(sys.argv[1]), 0
for line in sys.stdin:
    print(json.loads(line), end="", flush=True)
    count += 1
print()
if count != wanted:
    raise SystemExit(f"expected {wanted} tokens, got {count}")
