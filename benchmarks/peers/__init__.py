"""Other systems on the same documents, each in a process of its own; none of them is needed to use gristmill."""
