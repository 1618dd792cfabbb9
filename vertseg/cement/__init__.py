"""Injection of PMMA cement into a vertebra, simulated: where it goes and by which route it leaks."""
