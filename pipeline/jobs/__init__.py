"""The Beam jobs, one a file: each says what it reads, what it writes and how the work is spread, and computes nothing."""
