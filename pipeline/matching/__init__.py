"""The steps of the match job: what its transforms do with packed columns; the algorithms are in ``dedup``."""
