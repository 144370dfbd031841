"""The Beam jobs, one a file: what each reads and writes and how the work is spread. They compute nothing."""
