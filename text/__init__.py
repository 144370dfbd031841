"""What the kernels share: code-point tables, UTF-8 walking, hashing, and views of Arrow text buffers."""
