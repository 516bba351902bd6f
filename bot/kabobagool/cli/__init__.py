"""The command line: the only place that reads the environment, makes clocks and opens files."""
