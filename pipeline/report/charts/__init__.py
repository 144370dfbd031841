"""The report's charts as plotly figures, a module a section: plain JSON values, None when there is nothing to draw."""
