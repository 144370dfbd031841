"""Mixture → token runs: each part's documents encoded and sorted by the shuffle's hash, ready to merge into shards."""
