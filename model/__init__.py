"""One region, its agents, its levers, its school year, its indicators. NumPy and SciPy only."""
