"""The rules of project governance. Pure: no clock, no I/O, no chance."""
