"""Mixture → token runs: each part's documents encoded and sorted by the shuffle's hash, ready to be merged into shards."""
