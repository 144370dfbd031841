"""What the sample refuses."""


class SampleError(ValueError):
    """The sample cannot be written as asked; the message says why and what to do."""
