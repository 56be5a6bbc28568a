"""Prints the JSON strings on standard input as the text that they make up, each as it comes."""

import json
import sys

wanted, count = int(sys.argv[1]), 0
for line in sys.stdin:
    print(json.loads(line), end="", flush=True)
    count += 1
print()
if count != wanted:
    raise SystemExit(f"expected {wanted} tokens, got {count}")
