"""How a file, a number or a verdict came about, and whether it still is what configuration and code would give."""
