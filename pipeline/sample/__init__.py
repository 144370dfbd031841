"""A crawl to try everything on: `write_sample` writes it, `sample.json` beside it says what is in it."""

from pipeline.sample.crawl import SampleSummary, write_sample
from pipeline.sample.errors import SampleError

__all__ = ["SampleError", "SampleSummary", "write_sample"]
