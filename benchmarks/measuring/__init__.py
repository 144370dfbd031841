"""What a run took: time, memory of its process tree, bytes through its shuffles."""
