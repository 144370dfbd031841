"""One script a claim: `python -m benchmarks.NAME --json` prints one JSON object as its last line; see `results/`.

Peers run in the same process tree on the same text, and what must be equal is checked beside the time: a false check
makes the exit status 1, whatever the speed.
"""
