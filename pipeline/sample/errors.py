"""What the sample refuses."""

from pipeline.errors import ConfigError


class SampleError(ConfigError, ValueError):
    """The sample cannot be written as asked; the message says why and what to do."""
